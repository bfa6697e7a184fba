"""A broker that is restarted, or emptied, under load."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.benchmarks.figures import at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds after which workers consume again once the broker is back.
CONSUME_SECONDS = 10
#: Seconds within which all that was accepted has ended after the last fault, by what is lost.
AOF_SECONDS, MEMORY_SECONDS, FLUSH_SECONDS = 60, 90, 120
#: Seconds that a test waits, and how long a run of the load takes.
PATIENCE_SECONDS, RUN_SECONDS = 300, 0.05
#: Jobs submitted before each fault.
JOBS_EACH = 6


@case("broker-aof", "Broker killed and restarted 20 times under load, with its file")
def broker_aof(lab: Lab) -> list[Figure]:
    """Kill it; what it had written down is there again."""
    return _restarts(lab.shared(), lab.size(2, 20), AOF_SECONDS)


@case("broker-memory", "Broker killed and restarted 20 times under load, nothing kept", quick=False)
def broker_memory(lab: Lab) -> list[Figure]:
    """Kill a broker that writes nothing down: all it held is gone."""
    with lab.cluster(broker_options=("--appendonly", "no")) as cluster:
        cluster.start_roles()
        return _restarts(cluster, lab.size(2, 20), MEMORY_SECONDS)


@case("broker-flush", "FLUSHALL 20 times under load")
def broker_flush(lab: Lab) -> list[Figure]:
    """Empty it while jobs wait in it."""
    cluster = lab.shared()
    jobs: list[UUID] = []
    for _ in range(lab.size(2, 20)):
        jobs += cluster.submit(JOBS_EACH, delay_seconds=RUN_SECONDS)
        cluster.wait(jobs, PATIENCE_SECONDS, left=JOBS_EACH // 2)
        with cluster.servers.redis() as broker:
            broker.flushall()
    took = cluster.wait(jobs, PATIENCE_SECONDS)
    invariants.check(cluster, jobs)
    return [
        informs("jobs", len(jobs)),
        at_most("all ended after the last FLUSHALL", took, FLUSH_SECONDS, "s"),
    ]


def _restarts(cluster: Cluster, times: int, bound: float) -> list[Figure]:
    jobs: list[UUID] = []
    consumed = []
    for _ in range(times):
        jobs += cluster.submit(JOBS_EACH, delay_seconds=RUN_SECONDS)
        cluster.wait(jobs, PATIENCE_SECONDS, left=JOBS_EACH // 2)
        cluster.servers.broker.restart(signal.SIGKILL)
        back = time.time()
        (probe,) = cluster.submit(1)
        jobs.append(probe)
        cluster.wait([probe], PATIENCE_SECONDS)
        starts = [run.started_at for run in cluster.view(probe).runs]
        consumed.append(max(at.timestamp() for at in starts if at is not None) - back)
    took = cluster.wait(jobs, PATIENCE_SECONDS)
    invariants.check(cluster, jobs)
    return [
        informs("jobs", len(jobs)),
        at_most("workers consume again, slowest", max(consumed), CONSUME_SECONDS, "s"),
        at_most("all ended after the last restart", took, bound, "s"),
    ]
