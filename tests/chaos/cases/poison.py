"""Recordings that abort the process that opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.jobs import JobState
from schemas.runs import FailureKind
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 900
#: How much longer the good ones may take, at their 95th percentile.
TIMES_LONGER = 1.5
#: Seconds that a good run takes.
RUN_SECONDS = 0.2


@case("poison", "50 poison recordings among 500 that are submitted")
def poison(lab: Lab) -> list[Figure]:
    """Submit the good ones alone, then again with one poison among ten."""
    cluster = lab.shared()
    every, good = 10, lab.size(18, 450)
    alone = cluster.submit(good, engines=["fake"], delay_seconds=RUN_SECONDS)
    cluster.wait(alone, PATIENCE_SECONDS)
    mixed: list[UUID] = []
    bad: list[UUID] = []
    for start in range(0, good, every - 1):
        count = min(every - 1, good - start)
        mixed += cluster.submit(count, engines=["fake"], delay_seconds=RUN_SECONDS)
        bad += cluster.submit(1, engines=["fake"], fail="worker_lost")
    cluster.wait([*mixed, *bad], PATIENCE_SECONDS)
    views = [cluster.view(job) for job in bad]
    lost = [
        view
        for view in views
        if view.failure is not None and view.failure.kind is FailureKind.WORKER_LOST
    ]
    done = sum(cluster.view(job).state is JobState.COMPLETED for job in mixed)
    invariants.check(cluster, [*alone, *mixed, *bad])
    before, after = _p95(cluster, alone), _p95(cluster, mixed)
    words = "p95 with poison among them"
    longer = after / before
    return [
        at_least("good ones completed", done, good),
        at_least("poison failed as worker_lost", len(lost), len(bad)),
        at_most("attempts at a poison", max(view.runs[0].attempt for view in views), 3),
        informs("p95 of the good ones alone", before, "s"),
        # A handful of runs says nothing about a percentile.
        informs(words, longer, "×") if lab.quick else at_most(words, longer, TIMES_LONGER, "×"),
    ]


def _p95(cluster: Cluster, jobs: Sequence[UUID]) -> float:
    """Return the 95th percentile of the seconds from submission to end."""
    took = []
    for job in jobs:
        view = cluster.view(job)
        assert view.finished_at is not None
        took.append((view.finished_at - view.created_at).total_seconds())
    return sorted(took)[int(0.95 * (len(took) - 1))]
