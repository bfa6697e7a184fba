"""An engine that cannot take what waits for it is told of, and given up in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from coordinator.admission import admit
from coordinator.ledger import read_events, read_job
from coordinator.outages import read_outages, watch_engines
from coordinator.overview import read_queue
from coordinator.steering import pause_whole
from coordinator.submit import accept, job_request
from coordinator.sweep import jobs_to_end
from coordinator.why import explain
from schemas.audio import AudioRef
from schemas.jobs import JobState
from schemas.outage_table import Outage
from schemas.runs import FailureKind, RunState
from schemas.scheduling import Schedule
from schemas.tables import EngineRun, Pool
from tests.serving import RULES, serve, serve_no_more

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.database import Database
    from schemas.jobs import JobView

AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")


def submit(
    database: Database, *engines: str, require_all: bool = False, **schedule: object
) -> UUID:
    request = job_request(engines or ["fake"], require_all=require_all)
    with database.transaction() as session:
        return accept(session, request, AUDIO, schedule=Schedule(**schedule)).job_id


def watch(database: Database) -> int:
    with database.transaction() as session:
        return watch_engines(session, RULES)


def let_pass(database: Database, seconds: float, *, submitted: bool = False) -> None:
    """Let what is so now have been so for longer by that."""
    age = text(f"since - interval '{seconds} s'")
    with database.transaction() as session:
        session.execute(update(Outage).where(Outage.ended_at.is_(None)).values(since=age))
        if submitted:
            age = text(f"submitted_at - interval '{seconds} s'")
            session.execute(update(EngineRun).values(submitted_at=age))


def outages(database: Database) -> list[Outage]:
    with database.transaction() as session:
        return list(session.scalars(select(Outage)))


def view(database: Database, job: UUID) -> JobView:
    with database.transaction() as session:
        return read_job(session, job)


def test_an_engine_without_workers_is_told_of_once_when_that_lasts(database: Database) -> None:
    job = submit(database)
    assert watch(database) == 0
    with database.transaction() as session:
        assert read_outages(session) == ()  # it may be starting
    let_pass(database, RULES.engine_alert_seconds)
    with capture_logs() as logs:
        assert watch(database) == 1
        assert watch(database) == 0
    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("engine_unserved", "warning")
    assert (entry["engine"], entry["waiting"]) == ("fake", 1)
    with database.transaction() as session:
        (shown,) = read_outages(session)
        told = [event.data for event in read_events(session, job) if "unserved" in event.kind]
        (line,) = read_queue(session, RULES, 1)
        (run,) = explain(session, job, RULES).runs
    assert (shown.engine, shown.waiting) == ("fake", 1)
    assert told == [{"engine": "fake", "why": "no live worker serves the engine"}]
    assert (line.alert, line.stopped_since) == (True, shown.since)
    assert f"no live worker serves the engine since {shown.since:%Y-%m-%d}" in run.reason


def test_an_outage_that_was_told_ends_when_a_worker_is_back(database: Database) -> None:
    submit(database)
    watch(database)
    let_pass(database, RULES.engine_alert_seconds)
    watch(database)
    serve(database, "fake")
    with capture_logs() as logs:
        watch(database)
    assert [entry["event"] for entry in logs] == ["engine_served_again"]
    (outage,) = outages(database)
    assert outage.ended_at is not None
    with database.transaction() as session:
        assert read_outages(session) == ()
        (line,) = read_queue(session, RULES, 1)
    assert (line.alert, line.stopped_since, line.stopped) == (False, None, None)


def test_a_moment_without_workers_is_nothing_to_speak_of(database: Database) -> None:
    submit(database)
    watch(database)
    serve(database, "fake")
    with capture_logs() as logs:
        watch(database)
    assert (logs, outages(database)) == ([], [])


@pytest.mark.parametrize("what", ["nothing waits", "it is paused"])
def test_an_engine_that_nobody_misses_has_no_outage(database: Database, what: str) -> None:
    if what == "it is paused":
        submit(database)
        with database.transaction() as session:
            pause_whole(session, "engine", "fake")
    watch(database)
    assert outages(database) == []


def test_what_the_broker_has_for_an_engine_that_died_waits_for_it_too(database: Database) -> None:
    serve(database, "fake")
    job = submit(database)
    with database.transaction() as session:
        assert admit(session, RULES) == (job,)
    serve_no_more(database)
    watch(database)
    (outage,) = outages(database)
    assert (outage.engine, outage.waiting) == ("fake", 1)
    with database.transaction() as session:
        assert "but no live worker" in explain(session, job, RULES).runs[0].reason


def test_workers_without_free_memory_are_as_good_as_none(database: Database) -> None:
    serve(database, "fake")
    with database.transaction() as session:
        session.execute(update(Pool).values(free_memory=RULES.min_free_memory - 1))
    submit(database)
    watch(database)
    (outage,) = outages(database)
    assert outage.reason == "its workers have too little free memory"


def test_an_engine_that_is_given_up_costs_a_job_that_engine_alone(database: Database) -> None:
    serve(database, "fake")
    job = submit(database, "gone", "fake")
    watch(database)
    let_pass(database, RULES.engine_wait_seconds + 1, submitted=True)
    assert watch(database) == 2  # told of, given up
    gone, there = view(database, job).runs
    assert (gone.state, there.state) == (RunState.FAILED, RunState.QUEUED)
    assert gone.failure is not None
    assert gone.failure.kind is FailureKind.NOT_INSTALLED
    assert "waited for 86400 s: no live worker" in gone.failure.message


def test_a_job_of_that_engine_alone_is_then_at_its_end(database: Database) -> None:
    job = submit(database, "gone")
    watch(database)
    let_pass(database, RULES.engine_wait_seconds + 1, submitted=True)
    watch(database)
    with database.transaction() as session:
        assert jobs_to_end(session, 0.0, among=[job]) == (job,)


@pytest.mark.parametrize(
    ("require_all", "policy"), [(True, "best_effort"), (False, "fail")], ids=["all", "fail"]
)
def test_a_job_whose_policy_wants_it_so_fails_with_that_engine(
    database: Database, *, require_all: bool, policy: str
) -> None:
    job = submit(database, "gone", "fake", require_all=require_all, deadline_policy=policy)
    watch(database)
    let_pass(database, RULES.engine_wait_seconds + 1, submitted=True)
    watch(database)
    found = view(database, job)
    assert found.state is JobState.FAILED
    assert found.failure is not None
    assert found.failure.kind is FailureKind.NOT_INSTALLED
    assert {run.state for run in found.runs} == {RunState.CANCELLED}


def test_a_long_wait_in_line_is_not_held_against_an_engine_that_was_just_lost(
    database: Database,
) -> None:
    submit(database)
    let_pass(database, RULES.engine_wait_seconds + 1, submitted=True)
    watch(database)
    assert watch(database) == 0
    let_pass(database, RULES.engine_wait_seconds - 1)
    job = submit(database)  # has hardly waited
    let_pass(database, 2)
    watch(database)
    assert view(database, job).state is JobState.QUEUED
