"""The order of things on real servers and real workers, with the engine that hears nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from coordinator.holding import pause, resume
from coordinator.outages import read_outages
from coordinator.steering import pause_whole, resume_whole, set_owner_quota
from coordinator.submit import accept, job_request
from coordinator.why import explain
from schemas.jobs import JobState
from schemas.runs import FailureKind, RunState
from schemas.scheduling import Schedule
from schemas.settings import SchedulingSettings, WorkerSettings
from schemas.tables import EngineRun
from tests.chaos.engines import ENGINES
from tests.chaos.lab import Lab
from tests.integration.engine_rows import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from schemas.jobs import JobView
    from tests.chaos.cluster import Cluster

#: Seconds that anything here may take.
PATIENCE_SECONDS = 60
#: Engines without workers are told of at the next sweep; windows are small.
RULES = SchedulingSettings(engine_alert_seconds=0.5, max_spare=2)
#: Runs that the window of one worker holds: its own, and two that are next.
MOST_IN_WINDOW = 3
#: One engine, one worker, one run at a time.
ENGINE = ENGINES[0]


@pytest.fixture(scope="module")
def product() -> Iterator[Cluster]:
    given = {"worker": WorkerSettings(shutdown_seconds=2.0), "scheduling": RULES}
    with Lab(quick=True) as lab, lab.cluster(more_settings=given) as made:
        yield made


@pytest.fixture
def cluster(product: Cluster) -> Cluster:
    """Return a running product: a coordinator, an aggregation, a worker for each engine."""
    product.tidy()
    product.start_roles()
    return product


def submit(
    cluster: Cluster,
    *engines: str,
    after: tuple[UUID, ...] = (),
    options: Mapping[str, object] | None = None,
    seconds: float = 0.2,
    **how: object,
) -> UUID:
    """Submit a recording of so many seconds to engines that have the same options."""
    names = engines or (ENGINE,)
    request = job_request(names, options=dict.fromkeys(names, options or {}))
    audio = cluster.recording(seconds)
    with cluster.database.transaction() as session:
        schedule = Schedule.model_validate({"after": after, **how})
        return accept(session, request, audio, schedule=schedule).job_id


def soon(seconds: float) -> datetime:
    """Return the moment so many seconds from now."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def began(view: JobView) -> datetime:
    """Return when the first of a job's engines began."""
    return min(run.started_at for run in view.runs if run.started_at)


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


def test_a_critical_job_waits_for_no_more_than_the_window_of_its_engine(cluster: Cluster) -> None:
    """Behind any number of low jobs: what the broker has already goes on, nothing else does."""
    slowly = {"delay_seconds": 0.2}
    lows = [submit(cluster, priority="low", options=slowly) for _ in range(25)]
    until(lambda: cluster.view(lows[2]).state is JobState.COMPLETED)
    urgent = submit(cluster, priority="critical", options=slowly)
    cluster.wait([urgent], PATIENCE_SECONDS)
    view = cluster.view(urgent)
    between = [start for start in starts(cluster, lows) if view.created_at < start < began(view)]
    assert len(between) <= MOST_IN_WINDOW
    assert len(starts(cluster, lows)) < len(lows)  # the others wait still
    cluster.wait(lows, PATIENCE_SECONDS)


def test_a_low_job_past_its_target_starts_amid_a_flood_of_critical_ones(cluster: Cluster) -> None:
    hold_all(cluster, held=True)
    low = submit(cluster, priority="low")
    with cluster.database.transaction() as session:
        long_ago = text(f"now() - interval '{RULES.low_target_seconds + 1} s'")
        mine = update(EngineRun).where(EngineRun.job_id == low)
        session.execute(mine.values(submitted_at=long_ago))
    flood = [submit(cluster, priority="critical") for _ in range(30)]
    hold_all(cluster, held=False)
    cluster.wait([low, *flood], PATIENCE_SECONDS)
    assert order(cluster, [low, *flood]).index(low) < RULES.overdue_every


def test_a_job_that_slips_fails_while_its_engine_works_and_the_engine_is_free(
    cluster: Cluster,
) -> None:
    endless = {"seconds_per_segment": 0.05, "delay_seconds": 0.5}  # ten seconds for the one
    job = submit(cluster, options=endless, seconds=1.0, deadline=soon(4.0), deadline_policy="fail")
    assert cluster.view(job).schedule.at_risk_at is None  # nobody knows yet
    next_one = submit(cluster)
    cluster.wait([job, next_one], PATIENCE_SECONDS)
    view, other = cluster.view(job), cluster.view(next_one)
    assert (view.state, other.state) == (JobState.FAILED, JobState.COMPLETED)
    assert view.schedule.at_risk_at is not None
    assert view.failure is not None
    assert "cannot keep its deadline" in view.failure.message
    assert view.runs[0].started_at is not None
    assert "job_at_risk" in {event.kind for event in cluster.events(job)}


def test_an_engine_that_is_late_is_left_out_for_the_deadline(cluster: Cluster) -> None:
    cluster.end(f"{ENGINES[1]}-a")
    job = submit(cluster, *ENGINES, deadline=soon(2.0), deadline_policy="drop_slow_engines")
    cluster.wait([job], PATIENCE_SECONDS)
    view = cluster.view(job)
    assert (view.state, view.degraded) == (JobState.COMPLETED, True)
    (failed,) = view.failed_runs
    assert failed.engine == ENGINES[1]
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.TIMEOUT


def test_who_comes_late_is_not_starved_by_who_filled_the_line_before(cluster: Cluster) -> None:
    slowly = {"delay_seconds": 0.05}
    first = [submit(cluster, owner="early", options=slowly) for _ in range(40)]
    until(lambda: cluster.view(first[4]).state is JobState.COMPLETED)
    late = [submit(cluster, owner="late", options=slowly) for _ in range(8)]
    cluster.wait(late, PATIENCE_SECONDS)
    views = [cluster.view(job) for job in late]
    since, until_then = views[0].created_at, max(map(began, views))
    others = [start for start in starts(cluster, first) if since < start < until_then]
    assert len(others) <= len(late) + MOST_IN_WINDOW  # half of the places, as soon as it could be
    cluster.wait(first, PATIENCE_SECONDS)


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


def test_what_comes_after_a_job_that_failed_is_skipped_or_run_as_it_asks(cluster: Cluster) -> None:
    hold_all(cluster, held=True)
    first = submit(cluster, options={"fail": "bad_media"})
    skipped = submit(cluster, after=(first,))
    stubborn = submit(cluster, after=(first,), on_failed_dependency="run_anyway")
    hold_all(cluster, held=False)
    jobs = [first, skipped, stubborn]
    cluster.wait(jobs, PATIENCE_SECONDS)
    states = [cluster.view(job).state for job in jobs]
    assert states == [JobState.FAILED, JobState.CANCELLED, JobState.COMPLETED]


def test_an_engine_without_workers_is_told_of_and_waited_for(cluster: Cluster) -> None:
    cluster.end(f"{ENGINES[1]}-a")
    job = submit(cluster, *ENGINES)
    alone = submit(cluster)
    cluster.wait([alone], PATIENCE_SECONDS)  # the other engine goes on
    until(lambda: outages(cluster) == [ENGINES[1]])
    with cluster.database.transaction() as session:
        runs = explain(session, job, RULES).runs
    reasons = {run.engine: run.reason for run in runs}
    assert "no live worker serves the engine since" in reasons[ENGINES[1]]
    assert "engine_unserved" in {event.kind for event in cluster.events(job)}
    assert b"engine_unserved" in cluster.roles["coordinator"].logs()
    assert cluster.view(job).state is JobState.RUNNING
    cluster.engine(ENGINES[1])
    cluster.wait([job], PATIENCE_SECONDS)
    assert not cluster.view(job).degraded
    until(lambda: outages(cluster) == [])


def outages(cluster: Cluster) -> list[str]:
    with cluster.database.transaction() as session:
        return [outage.engine for outage in read_outages(session)]


def test_an_engine_that_stays_away_is_given_up_as_each_job_asks(cluster: Cluster) -> None:
    cluster.end(f"{ENGINES[1]}-a")
    cluster.end("coordinator")
    impatient = RULES.model_copy(update={"engine_wait_seconds": 1.0}).model_dump_json()
    cluster.coordinator(CHORDSCRIBE_SCHEDULING=impatient)
    lenient = submit(cluster, *ENGINES)
    strict = submit(cluster, *ENGINES, deadline_policy="fail")
    cluster.wait([lenient, strict], PATIENCE_SECONDS)
    cluster.end("coordinator")  # the next test has a patient one
    view = cluster.view(lenient)
    assert (view.state, view.degraded) == (JobState.COMPLETED, True)
    assert [run.engine for run in view.failed_runs] == [ENGINES[1]]
    failure = cluster.view(strict).failure
    assert failure is not None
    assert failure.kind is FailureKind.NOT_INSTALLED


def test_an_owner_at_the_cap_has_one_run_at_a_time_on_two_workers(cluster: Cluster) -> None:
    cluster.engine(ENGINE, "b")
    cluster.ready()
    with cluster.database.transaction() as session:
        set_owner_quota(session, "capped", max_running=1)
    slowly = {"delay_seconds": 0.1}
    jobs = [submit(cluster, owner="capped", options=slowly) for _ in range(6)]
    free = [submit(cluster, owner="free", options=slowly) for _ in range(6)]
    cluster.wait([*jobs, *free], PATIENCE_SECONDS)
    runs = sorted((cluster.view(job).runs[0] for job in jobs), key=lambda run: str(run.started_at))
    assert {run.state for run in runs} == {RunState.SUCCEEDED}
    for one, other in pairwise(runs):
        assert one.finished_at is not None
        assert other.started_at is not None
        assert one.finished_at <= other.started_at


def test_a_preferred_device_has_all_runs_until_there_are_many(cluster: Cluster) -> None:
    often = {"presence_seconds": 0.2, "device_preference": ("pretended", "cpu")}
    rules = RULES.model_copy(update=often).model_dump_json()
    device = cluster.settings.worker.model_copy(update={"device": "pretended"}).model_dump_json()
    cluster.end(f"{ENGINE}-a")
    cluster.engine(ENGINE, "card", CHORDSCRIBE_SCHEDULING=rules, CHORDSCRIBE_WORKER=device)
    cluster.engine(ENGINE, "slow", CHORDSCRIBE_SCHEDULING=rules)
    cluster.ready()
    slow = cluster.roles[f"{ENGINE}-slow"]
    until(lambda: b"stands_by" in slow.logs())
    few = [submit(cluster) for _ in range(RULES.preferred_runs)]
    cluster.wait(few, PATIENCE_SECONDS)
    assert workers_of(cluster, few) == {f"{ENGINE}-card"}
    many = [submit(cluster, options={"delay_seconds": 0.2}) for _ in range(30)]
    cluster.wait(many, PATIENCE_SECONDS)
    assert workers_of(cluster, many) == {f"{ENGINE}-card", f"{ENGINE}-slow"}
    until(lambda: slow.logs().count(b"stands_by") > 1)


def workers_of(cluster: Cluster, jobs: list[UUID]) -> set[str]:
    events = [event for job in jobs for event in cluster.events(job)]
    return {
        str(event.data["worker"]).partition("@")[0]
        for event in events
        if event.kind == "run_started"
    }


def test_workers_without_free_memory_are_given_nothing_until_they_have_some(
    cluster: Cluster,
) -> None:
    """The machine cannot be filled: so more than it has is asked to be free."""
    cluster.end("coordinator")
    greedy = RULES.model_copy(update={"min_free_memory": 2**60}).model_dump_json()
    cluster.coordinator(CHORDSCRIBE_SCHEDULING=greedy)
    job = submit(cluster)
    until(lambda: outages(cluster) == [ENGINE])
    assert cluster.view(job).state is JobState.QUEUED
    cluster.end("coordinator")
    cluster.coordinator()
    cluster.wait([job], PATIENCE_SECONDS)


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
