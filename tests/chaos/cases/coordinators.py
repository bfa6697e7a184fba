"""Coordinators that are killed while they publish, or that sweep at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text, update

from schemas.names import engine_queue
from schemas.tables import EngineRun, StoredEvent
from tests.benchmarks.figures import at_most, informs
from tests.chaos import invariants
from tests.chaos.engines import ENGINES
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits, and within which a job has to be dispatched.
PATIENCE_SECONDS, DISPATCH_SECONDS = 120, 30
POINTS = {
    "after commit, before publishing": "before_publishing",
    "between two header publishes": f"after_putting_{engine_queue(ENGINES[0])}",
    "after the last header, before commit": f"after_putting_{engine_queue(ENGINES[1])}",
}


@case("kill-coordinator", "SIGKILL of the coordinator while it publishes")
def kill_coordinator(lab: Lab) -> list[Figure]:
    """Kill it at three points; a supervisor starts it again."""
    cluster = lab.shared()
    figures, jobs = [], []
    for words, point in POINTS.items():
        cluster.points.arm(point, "kill_worker")
        (job,) = cluster.submit()
        killed = cluster.points.heard(30)
        cluster.wait([job], PATIENCE_SECONDS)
        starts = [run.started_at for run in cluster.view(job).runs]
        last = max(start.timestamp() for start in starts if start is not None)
        figures.append(at_most(f"dispatched, {words}", last - killed.at, DISPATCH_SECONDS, "s"))
        jobs.append(job)
    works = cluster.works()
    figures.append(at_most("times an engine worked on a run", max(works.values()), 1))
    invariants.check(cluster, jobs)
    return figures


@case("two-sweepers", "Two coordinators sweep 1,000 dead leases at once")
def two_sweepers(lab: Lab) -> list[Figure]:
    """Leave dead leases behind, then let two coordinators find them."""
    cluster = lab.shared()
    for name in ("coordinator", *(f"{engine}-a" for engine in ENGINES)):
        cluster.end(name)
    jobs = cluster.submit(lab.size(60, 1000), engines=ENGINES[:1])
    _abandon(cluster, jobs)
    cluster.coordinator("coordinator")
    cluster.coordinator("coordinator-b")
    cluster.ready()
    cluster.start_roles()
    cluster.wait(jobs, 5 * PATIENCE_SECONDS)
    with cluster.database.transaction() as session:
        rescued = session.scalar(
            select(func.count())
            .select_from(StoredEvent)
            .where(StoredEvent.kind == "run_rescued", StoredEvent.job_id.in_(jobs))
        )
    works = cluster.works()
    invariants.check(cluster, jobs)
    return [
        informs("dead leases", len(jobs)),
        at_most("rescues beyond one a run", (rescued or 0) - len(jobs), 0),
        at_most("times an engine worked on a run", max(works.values()), 1),
    ]


def _abandon(cluster: Cluster, jobs: Collection[UUID]) -> None:
    """Make the ledger what it is when all workers have died amid these jobs."""
    with cluster.database.transaction() as session:
        session.execute(
            text("UPDATE jobs SET state = 'running', admitted_at = now() WHERE id = ANY(:ids)"),
            {"ids": list(jobs)},
        )
        session.execute(
            update(EngineRun)
            .where(EngineRun.job_id.in_(jobs))
            .values(
                state="running",
                place="window",
                owner="gone@chaos:1",
                attempt=1,
                started_at=func.now(),
                lease_expires_at=text("now() - interval '1 s'"),
            )
        )
