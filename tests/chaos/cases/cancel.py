"""Jobs that are cancelled while they wait, while they work, or while native code blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from coordinator.ledger import request_cancel
from schemas.jobs import JobState
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits, and within which a job is cancelled at the 99th percentile.
PATIENCE_SECONDS, CANCEL_SECONDS = 120, 15


@case("cancel", "100 jobs cancelled: 40 wait, 40 work, 20 block in native code")
def cancel(lab: Lab) -> list[Figure]:
    """Cancel as many at a time as there are workers; then each has to serve another job."""
    cluster = lab.shared()
    cluster.end("fake-a")
    grace, workers = lab.size(1, 10), lab.size(2, 4)
    for node in range(workers):
        cluster.engine("fake", str(node), CHORDSCRIBE_WORKER=f'{{"kill_grace_seconds": {grace}}}')
    cluster.ready()
    blocked = _amid(cluster, workers, lab.size(1, 5), "hang")
    working = _amid(cluster, workers, lab.size(1, 10), "pass")
    waiting = _waiting(cluster, workers, lab.size(8, 40))
    probes = cluster.submit(2 * workers, ["fake"])
    cluster.wait(probes, PATIENCE_SECONDS)
    for node in range(workers):
        cluster.end(f"fake-{node}")
    jobs = [*blocked, *working, *waiting]
    took = sorted(_took(cluster, job) for job in jobs)
    quick = sorted(_took(cluster, job) for job in (*working, *waiting))
    states = [cluster.view(job).state for job in jobs]
    done = sum(cluster.view(job).state is JobState.COMPLETED for job in probes)
    invariants.check(cluster, [*jobs, *probes])
    return [
        at_least("cancelled", states.count(JobState.CANCELLED), len(jobs)),
        at_most("p99", took[math.ceil(0.99 * len(took)) - 1], CANCEL_SECONDS, "s"),
        informs("slowest of those that work or wait", quick[-1], "s"),
        at_least("other jobs served then", done, len(probes)),
    ]


def _amid(cluster: Cluster, workers: int, rounds: int, action: str) -> list[UUID]:
    """Cancel jobs whose engine is amid its work, one for each worker at a time."""
    jobs: list[UUID] = []
    audio = cluster.recording(seconds=120.0, number=4)
    for _ in range(rounds):
        some = cluster.submit(
            workers, ["fake"], audio=audio, paused=True, seconds_per_segment=1.0, delay_seconds=0.5
        )
        for job in some:
            cluster.points.arm("mid_infer", action, job)
        cluster.resume(some)
        for _ in some:
            cluster.points.heard(PATIENCE_SECONDS)
        _cancel(cluster, some)
        cluster.wait(some, PATIENCE_SECONDS)
        jobs += some
    return jobs


def _waiting(cluster: Cluster, workers: int, count: int) -> list[UUID]:
    """Cancel jobs whose messages wait in the broker behind others."""
    before = cluster.submit(workers, ["fake"], paused=True)
    for job in before:
        cluster.points.arm("mid_infer", "wait", job)
    cluster.resume(before)
    held = [cluster.points.heard(PATIENCE_SECONDS) for _ in before]
    jobs = cluster.submit(count, ["fake"])
    _cancel(cluster, jobs)
    cluster.wait(jobs, PATIENCE_SECONDS)
    for reached in held:
        cluster.points.release(reached.pid)
    cluster.wait(before, PATIENCE_SECONDS)
    return jobs


def _cancel(cluster: Cluster, jobs: list[UUID]) -> None:
    for job in jobs:
        with cluster.database.transaction() as session:
            request_cancel(session, job)


def _took(cluster: Cluster, job: UUID) -> float:
    """Return the seconds from the wish to its fulfilment."""
    view = cluster.view(job)
    assert view.cancel_requested_at is not None
    assert view.finished_at is not None
    return (view.finished_at - view.cancel_requested_at).total_seconds()
