"""A job that cannot keep its deadline is marked, and its policy is followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from coordinator.admission import admit
from coordinator.asking import make_schedule, read_deadline
from coordinator.bulk import accept_many
from coordinator.deadlines import keep_deadlines
from coordinator.errors import BadRequestError
from coordinator.ledger import read_events, read_job
from coordinator.overview import MAX_ORDERED
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.jobs import JobState
from schemas.measure_table import Measure
from schemas.runs import FailureKind, RunState
from schemas.scheduling import Priority
from schemas.tables import EngineRun, Job
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.database import Database
    from schemas.jobs import JobView

#: Ten seconds of audio.
AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")
ENGINES = ("fast", "slow")


@pytest.fixture(autouse=True)
def workers(database: Database) -> None:
    """Let both engines be served, and be known to take 1 s and 100 s for the recording."""
    serve(database, *ENGINES, slots=1)
    with database.transaction() as session:
        for engine, rtf in zip(ENGINES, (0.1, 10.0), strict=True):
            session.add(Measure(kind="rtf", name=engine, median=rtf, high=rtf))


def submit(
    database: Database,
    seconds: float,
    policy: str = "best_effort",
    priority: Priority = Priority.NORMAL,
) -> UUID:
    deadline = timedelta(seconds=seconds)
    schedule = make_schedule(
        {"deadline": deadline, "deadline_policy": policy, "priority": priority}
    )
    with database.transaction() as session:
        return accept(session, job_request(ENGINES), AUDIO, schedule=schedule).job_id


def view(database: Database, job: UUID) -> JobView:
    with database.transaction() as session:
        return read_job(session, job)


def test_a_deadline_that_can_be_kept_marks_nothing(database: Database) -> None:
    assert view(database, submit(database, 200.0)).schedule.at_risk_at is None


def test_a_job_that_cannot_make_it_is_marked_at_submission(database: Database) -> None:
    job = submit(database, 50.0)
    assert view(database, job).schedule.at_risk_at is not None
    with database.transaction() as session:
        (event,) = (e for e in read_events(session, job) if e.kind == "job_at_risk")
    assert event.data["engines"] == ["slow"]


def test_a_job_that_slips_while_it_waits_is_marked_then(database: Database) -> None:
    job = submit(database, 250.0)
    assert view(database, job).schedule.at_risk_at is None
    for _ in range(3):  # each takes 100 s, and has to start earlier
        submit(database, 110.0)
    with database.transaction() as session:
        assert keep_deadlines(session, RULES) >= 1
        assert keep_deadlines(session, RULES) == 0
    assert view(database, job).schedule.at_risk_at is not None


def test_a_job_may_ask_to_fail_rather_than_be_late(database: Database) -> None:
    found = view(database, submit(database, 50.0, "fail"))
    assert found.state is JobState.FAILED
    assert found.failure is not None
    assert "deadline" in found.failure.message
    with database.transaction() as session:
        assert admit(session, RULES) == ()


def test_slow_engines_may_be_dropped_for_the_deadline(database: Database) -> None:
    job = submit(database, 50.0, "drop_slow_engines")
    fast, slow = view(database, job).runs
    assert (fast.state, slow.state) == (RunState.QUEUED, RunState.FAILED)
    assert slow.failure is not None
    assert slow.failure.kind is FailureKind.TIMEOUT


def test_one_engine_is_kept_when_all_are_late(database: Database) -> None:
    job = submit(database, 0.5, "drop_slow_engines")
    assert [run.state for run in view(database, job).runs] == [RunState.QUEUED, RunState.FAILED]


def test_the_earliest_deadline_goes_first(database: Database) -> None:
    later, sooner = submit(database, 5000.0), submit(database, 3000.0)
    with database.transaction() as session:
        assert admit(session, RULES, limit=1) == (sooner,)
        assert later in admit(session, RULES)


def test_a_job_behind_more_than_anybody_puts_in_order_is_known_to_be_late(
    database: Database,
) -> None:
    with database.transaction() as session:
        urgent = make_schedule({"priority": "critical"})
        accept_many(session, job_request(["slow"]), (MAX_ORDERED + 100) * [AUDIO], schedule=urgent)
    day = 86_400.0  # they take 100 s each: more than a day
    found = view(database, submit(database, day, priority=Priority.LOW))
    assert found.schedule.at_risk_at is not None
    found = view(database, submit(database, 5 * day, priority=Priority.LOW))
    assert found.schedule.at_risk_at is None


def test_all_parts_of_a_slow_engine_are_dropped_together(database: Database) -> None:
    """A recording of four parts, of which the engine can keep the deadline for the first two."""
    job = submit(database, 500.0, "drop_slow_engines")
    with database.transaction() as session:
        (slow,) = (run for run in session.get_one(Job, job).runs if run.engine == "slow")
        for chunk in range(1, 4):
            session.add(
                EngineRun(
                    id=uuid4(),
                    job_id=job,
                    engine="slow",
                    chunk=chunk,
                    position=1,
                    state="queued",
                    place="waiting",
                    cost=200.0,
                    latest_start=slow.latest_start,
                )
            )
    with database.transaction() as session:
        assert keep_deadlines(session, RULES, only=job)
    states = {(run.engine, run.state) for run in view(database, job).runs}
    assert states == {("fast", RunState.QUEUED), ("slow", RunState.FAILED)}


def test_deadlines_are_read_as_times_or_durations() -> None:
    assert read_deadline(None) is None
    assert read_deadline("90m") == timedelta(minutes=90)
    assert read_deadline("2026-11-24T18:00Z") == datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert read_deadline("999999999.999999999d") == timedelta.max
    with pytest.raises(BadRequestError, match="no deadline"):
        read_deadline("tomorrow")
