"""The order of things on real servers and real workers, with the engine that hears nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.holding import pause, resume
from coordinator.steering import pause_whole, resume_whole, set_owner_quota
from coordinator.submit import accept, job_request
from coordinator.why import explain
from schemas.jobs import JobState
from schemas.scheduling import Schedule
from tests.chaos.engines import ENGINES
from tests.chaos.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from tests.chaos.cluster import Cluster

#: Seconds that anything here may take.
PATIENCE_SECONDS = 60
#: One engine, one worker, one run at a time.
ENGINE = ENGINES[0]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(quick=True) as made:
        yield made


@pytest.fixture
def cluster(lab: Lab) -> Cluster:
    """Return a running product: a coordinator, an aggregation, a worker for each engine."""
    return lab.shared()


def submit(cluster: Cluster, *engines: str, after: tuple[UUID, ...] = (), **how: object) -> UUID:
    names = engines or (ENGINE,)
    with cluster.database.transaction() as session:
        schedule = Schedule.model_validate({"after": after, **how})
        request = job_request(names)
        return accept(session, request, cluster.recording(), schedule=schedule).job_id


def hold_all(cluster: Cluster, *, held: bool) -> None:
    """Let nothing be admitted, so that all that is submitted waits together."""
    with cluster.database.transaction() as session:
        (pause_whole if held else resume_whole)(session, "all")


def starts(cluster: Cluster, jobs: list[UUID]) -> list[datetime]:
    found = [cluster.view(job).runs[0].started_at for job in jobs]
    return [start for start in found if start is not None]


def order(cluster: Cluster, jobs: list[UUID]) -> list[UUID]:
    """Return the jobs in the order in which they started."""
    return [job for _, job in sorted(zip(starts(cluster, jobs), jobs, strict=True))]


def test_urgent_jobs_then_early_deadlines_go_first(cluster: Cluster) -> None:
    hold_all(cluster, held=True)
    lows = [submit(cluster, priority="low") for _ in range(20)]
    later, sooner = (
        submit(cluster, deadline=f"2100-01-0{day}T00:00:00Z", priority="high") for day in (2, 1)
    )
    urgent = submit(cluster, priority="critical")
    hold_all(cluster, held=False)
    jobs = [*lows, later, sooner, urgent]
    cluster.wait(jobs, PATIENCE_SECONDS)
    assert order(cluster, jobs) == [urgent, sooner, later, *lows]


def test_two_owners_are_served_by_their_weights(cluster: Cluster) -> None:
    with cluster.database.transaction() as session:
        set_owner_quota(session, "big", weight=3.0)
    hold_all(cluster, held=True)
    small = [submit(cluster, owner="small") for _ in range(30)]
    big = [submit(cluster, owner="big") for _ in range(30)]
    hold_all(cluster, held=False)
    cluster.wait([*small, *big], PATIENCE_SECONDS)
    first = order(cluster, [*small, *big])[:40]
    assert sum(job in big for job in first) == pytest.approx(30, abs=4)


def test_a_job_starts_when_those_before_it_have_ended(cluster: Cluster) -> None:
    hold_all(cluster, held=True)
    first = submit(cluster)
    second = submit(cluster, after=(first,))
    third = submit(cluster, after=(second,))
    hold_all(cluster, held=False)
    cluster.wait([first, second, third], PATIENCE_SECONDS)
    for earlier, later in ((first, second), (second, third)):
        ended, began = cluster.view(earlier).finished_at, cluster.view(later).runs[0].started_at
        assert ended is not None
        assert began is not None
        assert ended <= began


def test_an_engine_without_workers_waits_for_one_and_says_so(cluster: Cluster) -> None:
    absent = f"{ENGINES[1]}-a"
    cluster.end(absent)
    job = submit(cluster, *ENGINES)
    alone = submit(cluster)
    cluster.wait([alone], PATIENCE_SECONDS)  # the other engine goes on
    with cluster.database.transaction() as session:
        runs = explain(session, job, cluster.settings.scheduling).runs
    reasons = {run.engine: run.reason for run in runs}
    assert "no live worker" in reasons[ENGINES[1]]
    assert cluster.view(job).state is JobState.RUNNING
    cluster.engine(ENGINES[1])
    cluster.wait([job], PATIENCE_SECONDS)
    assert not cluster.view(job).degraded


def test_a_paused_job_waits_while_the_others_go_on(cluster: Cluster) -> None:
    hold_all(cluster, held=True)
    held, other = submit(cluster), submit(cluster)
    with cluster.database.transaction() as session:
        pause(session, held)
    hold_all(cluster, held=False)
    cluster.wait([other], PATIENCE_SECONDS)
    assert cluster.view(held).runs[0].started_at is None
    with cluster.database.transaction() as session:
        resume(session, held)
    cluster.wait([held], PATIENCE_SECONDS)
