"""Many jobs, with and without faults on the way."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from sqlalchemy import func, select

from schemas.tables import Job, StoredReport
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.engines import ENGINES
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits at most.
PATIENCE_SECONDS = 3000
#: Seconds that the fake engine takes.
RUN_SECONDS = 0.02
#: The share of the jobs after which the first look is taken: everything is loaded by then.
WARM_SHARE = 0.1
#: So many keys more than before the jobs may stay in the broker.
MOST_KEYS = 10
#: Seconds for the broker's counters to go away.
KEYS_SECONDS = 330
#: Seconds between two kills of a worker, of the broker.
WORKER_EVERY_SECONDS, BROKER_EVERY_SECONDS = 5.0, 60.0
MIB = 2**20


@dataclass
class _Use:
    """What one process uses."""

    rss: int
    handles: int


@case("soak", "Soak: 10,000 jobs, 2 engines each, fake engine 20 ms", quick=False)
def soak(lab: Lab) -> list[Figure]:
    """Submit all at once; compare the processes early and late."""
    cluster = lab.shared()
    count = lab.size(100, 10_000)
    with cluster.servers.redis() as broker:
        keys = broker.dbsize()
    jobs = cluster.submit(count, delay_seconds=RUN_SECONDS)
    began = time.monotonic()
    cluster.wait(jobs, PATIENCE_SECONDS, left=int(count * (1 - WARM_SHARE)))
    first = _uses(cluster)
    cluster.wait(jobs, PATIENCE_SECONDS)
    took = time.monotonic() - began
    last = _uses(cluster)
    grown = {pid: (last[pid].rss - first[pid].rss) / MIB for pid in first if pid in last}
    handles = {pid: last[pid].handles - first[pid].handles for pid in first if pid in last}
    reports, completed = _counts(cluster, jobs)
    beyond = _keys_beyond(cluster, keys)
    invariants.check(cluster, jobs)
    return [
        at_least("completed", completed, count),
        at_least("reports", reports, count),
        at_most("growth of the hungriest process", max(grown.values()), 50, "MiB"),
        at_most("keys in the broker above the baseline", beyond, MOST_KEYS),
        at_most("open files more, of any process", max(handles.values()), 3),
        at_most("processes that ended", len(set(first) - set(last)), 0),
        informs("jobs a second", count / took),
    ]


@case(
    "soak-chaos",
    "Soak with chaos: 2,000 jobs, a worker killed every 5 s, the broker every 60 s",
    quick=False,
)
def soak_chaos(lab: Lab) -> list[Figure]:
    """Kill workers in turn, and the broker, while the jobs run."""
    with lab.cluster() as cluster:
        cluster.start_roles()
        for engine in ENGINES:
            cluster.engine(engine, "b")
        cluster.ready()
        jobs = cluster.submit(lab.size(100, 2_000), delay_seconds=RUN_SECONDS)
        began, kills, breaks = time.monotonic(), 0, 0
        names = [name for name in cluster.roles if name != "coordinator"]
        next_break = began + BROKER_EVERY_SECONDS
        while cluster.open(jobs) and time.monotonic() - began < PATIENCE_SECONDS:
            cluster.watch(jobs, WORKER_EVERY_SECONDS)
            cluster.roles[names[kills % len(names)]].kill()
            kills += 1
            if time.monotonic() > next_break:
                cluster.servers.broker.restart(signal.SIGKILL)
                breaks += 1
                next_break = time.monotonic() + BROKER_EVERY_SECONDS
            cluster.keep()
        cluster.wait(jobs, PATIENCE_SECONDS)
        took = time.monotonic() - began
        invariants.check(cluster, jobs)
        reports, completed = _counts(cluster, jobs)
        return [
            at_least("reports", reports, len(jobs)),
            at_least("completed", completed, len(jobs)),
            informs("workers killed", kills),
            informs("brokers killed", breaks),
            informs("jobs a second", len(jobs) / took),
        ]


def _uses(cluster: Cluster) -> dict[int, _Use]:
    found = {}
    for role in cluster.roles.values():
        leader = psutil.Process(role.pid)
        for process in (leader, *leader.children(recursive=True)):
            found[process.pid] = _Use(process.memory_info().rss, process.num_fds())
    return found


def _counts(cluster: Cluster, jobs: list[UUID]) -> tuple[int, int]:
    """Return how many of the jobs have a report, and how many completed."""
    with cluster.database.transaction() as session:
        reports = session.scalar(
            select(func.count()).select_from(StoredReport).where(StoredReport.job_id.in_(jobs))
        )
        completed = session.scalar(
            select(func.count()).select_from(Job).where(Job.id.in_(jobs), Job.state == "completed")
        )
    return reports or 0, completed or 0


def _keys_beyond(cluster: Cluster, baseline: int) -> int:
    """Return how many more keys there are once the short-lived ones had time to go."""
    deadline, tick = time.monotonic() + KEYS_SECONDS, threading.Event()
    with cluster.servers.redis() as broker:
        while (beyond := broker.dbsize() - baseline) > MOST_KEYS and time.monotonic() < deadline:
            tick.wait(1.0)
    return beyond
