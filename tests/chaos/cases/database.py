"""A ledger that is restarted amid a save, or away for a while."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import psutil

from coordinator.watching import watch_jobs
from schemas.jobs import JobState
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 200
#: The share of one processor that all roles together may use while the database is away, in %.
IDLE_PERCENT = 5
HOW = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@case("postgres-restart", "Postgres restarted (fast, immediate) amid a save")
def postgres_restart(lab: Lab) -> list[Figure]:
    """Hold a worker before its save, restart the database, let it save."""
    cluster = lab.shared()
    figures, jobs = [], []
    for words, number in HOW.items():
        (job,) = cluster.submit(1, paused=True)
        cluster.points.arm("before_save", "wait", job)
        user = _User(cluster, job)
        cluster.resume([job])
        held = cluster.points.heard(60)
        cluster.servers.postgres.restart(number)
        cluster.points.release(held.pid)
        user.join()
        figures.append(at_most(f"errors that a user saw, {words}", len(user.errors), 0))
        assert cluster.view(job).state is JobState.COMPLETED
        jobs.append(job)
    works = cluster.works()
    figures.append(at_most("times an engine worked on a run", max(works.values()), 1))
    invariants.check(cluster, jobs)
    return figures


@case("postgres-away", "Postgres down for 60 s under load")
def postgres_away(lab: Lab) -> list[Figure]:
    """Stop it, look at what the roles spend on waiting, start it again."""
    cluster = lab.shared()
    away = lab.size(4, 60)
    jobs = cluster.submit(lab.size(20, 100), delay_seconds=0.05)
    cluster.wait(jobs, PATIENCE_SECONDS, left=len(jobs) // 2)
    cluster.servers.postgres.stop(signal.SIGINT)
    threading.Event().wait(1.0)  # what was under way has noticed
    before, began = _cpu_seconds(cluster), time.monotonic()
    threading.Event().wait(away)
    spent = (_cpu_seconds(cluster) - before) / (time.monotonic() - began)
    cluster.servers.postgres.start()
    took = cluster.wait(jobs, PATIENCE_SECONDS)
    completed = sum(cluster.view(job).state is JobState.COMPLETED for job in jobs)
    invariants.check(cluster, jobs)
    return [
        at_most("processor while it is away", 100 * spent, IDLE_PERCENT, "%"),
        at_least("completed", completed, len(jobs)),
        informs("drained after", took, "s"),
    ]


class _User(threading.Thread):
    """Somebody who watches a job while the database goes away."""

    def __init__(self, cluster: Cluster, job: UUID) -> None:
        super().__init__(daemon=True)
        self.errors: list[str] = []
        self._cluster, self._job = cluster, job
        self.start()

    def run(self) -> None:
        try:
            for _ in watch_jobs(self._cluster.database, [self._job], PATIENCE_SECONDS):
                pass
        except Exception as error:  # noqa: BLE001  # whatever it is, the user saw it
            self.errors.append(repr(error))


def _cpu_seconds(cluster: Cluster) -> float:
    """Return the processor time of all roles so far, in seconds."""
    total = 0.0
    for role in cluster.roles.values():
        leader = psutil.Process(role.pid)
        for process in (leader, *leader.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
    return total
