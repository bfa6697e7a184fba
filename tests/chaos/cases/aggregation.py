"""Aggregation workers that are killed around the commit that ends a job, or by the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from schemas.jobs import JobState
from schemas.retries import MAX_ATTEMPTS
from schemas.runs import FailureKind
from schemas.tables import EngineRun
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 300


@case("kill-aggregation", "SIGKILL of aggregation before and after its commit, 20 times each")
def kill_aggregation(lab: Lab) -> list[Figure]:
    """Kill the child, or the whole worker, at each of two points for one job each."""
    cluster = lab.shared()
    each = lab.size(2, 20)
    jobs = cluster.submit(2 * each, paused=True)
    for number, job in enumerate(jobs):
        point = "before_commit" if number < each else "after_commit"
        cluster.points.arm(point, "kill_worker" if number % 2 else "kill_child", job)
    cluster.resume(jobs)
    took = cluster.wait(jobs, PATIENCE_SECONDS)
    killed = [cluster.points.heard(10).job for _ in jobs]
    assert set(killed) == {str(job) for job in jobs}
    invariants.check(cluster, jobs)
    reports = sum(cluster.report(job) is not None for job in jobs)
    return [
        at_least(f"exactly one report of {len(jobs)}", reports, len(jobs)),
        informs("until the last had ended", took, "s"),
    ]


@case("poison-aggregation", "Transcripts whose comparison ends the process, each time")
def poison_aggregation(lab: Lab) -> list[Figure]:
    """Kill the child at each attempt at one job, and the whole worker at each at another."""
    cluster = lab.shared()
    actions = ["kill_child", "kill_worker"][: lab.size(1, 2)]
    bad = cluster.submit(len(actions), paused=True)
    for job, action in zip(bad, actions, strict=True):
        cluster.points.arm("mid_compare", action, job, times=10)
    cluster.resume(bad)
    good = cluster.submit(10)
    cluster.wait([*bad, *good], PATIENCE_SECONDS)
    deaths = [len(list(cluster.points.folder.glob(f"taken-mid_compare@{job}-*"))) for job in bad]
    cluster.points.disarm()
    failures = [cluster.view(job).failure for job in bad]
    typed = [
        failure is not None and failure.kind is FailureKind.AGGREGATION_ERROR
        for failure in failures
    ]
    done = sum(cluster.view(job).state is JobState.COMPLETED for job in good)
    invariants.check(cluster, [*bad, *good])
    return [
        at_most("attempts at a job", max(deaths), MAX_ATTEMPTS),
        at_least("failed as aggregation_error", sum(typed), len(bad)),
        at_least("transcripts kept", _transcripts(cluster, bad), 2 * len(bad)),
        at_least("other jobs completed", done, len(good)),
    ]


def _transcripts(cluster: Cluster, jobs: list[UUID]) -> int:
    """Return how many runs of the jobs have a transcript."""
    with cluster.database.transaction() as session:
        kept = select(func.count()).where(
            EngineRun.job_id.in_(jobs), EngineRun.transcript.is_not(None)
        )
        return session.scalar(kept) or 0
