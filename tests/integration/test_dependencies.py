"""A job that comes after others starts when they have ended, or is skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import func, update

from coordinator.admission import admit
from coordinator.dependencies import resolve
from coordinator.errors import BadRequestError
from coordinator.ledger import read_job, request_cancel
from coordinator.submit import accept, job_request
from coordinator.why import explain
from schemas.audio import AudioRef
from schemas.jobs import JobState
from schemas.scheduling import Schedule
from schemas.tables import Job
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")


@pytest.fixture(autouse=True)
def workers(database: Database) -> None:
    """Let the engine be served."""
    serve(database, "fake")


def submit(database: Database, *after: UUID, **schedule: object) -> UUID:
    with database.transaction() as session:
        asked = Schedule(after=after, **schedule)
        return accept(session, job_request(["fake"]), AUDIO, schedule=asked).job_id


def end(database: Database, job: UUID, state: JobState = JobState.COMPLETED) -> None:
    with database.transaction() as session:
        ended = {"state": state.value, "finished_at": func.now()}
        session.execute(update(Job).where(Job.id == job).values(**ended))
    with database.transaction() as session:
        resolve(session, among=[job])


def admitted(database: Database) -> set[UUID]:
    with database.transaction() as session:
        return set(admit(session, RULES))


def test_a_job_waits_for_all_that_it_comes_after(database: Database) -> None:
    one, two = submit(database), submit(database)
    last = submit(database, one, two)
    assert admitted(database) == {one, two}
    end(database, one)
    assert admitted(database) == set()
    with database.transaction() as session:
        assert "comes after 1 job not ended" in explain(session, last, RULES).runs[0].reason
    end(database, two)
    assert admitted(database) == {last}


def test_a_job_that_comes_after_one_that_has_ended_does_not_wait(database: Database) -> None:
    one = submit(database)
    end(database, one)
    last = submit(database, one)
    assert last in admitted(database)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_a_failure_skips_all_that_comes_after(database: Database, state: JobState) -> None:
    first = submit(database)
    second = submit(database, first)
    third = submit(database, second)
    stubborn = submit(database, first, on_failed_dependency="run_anyway")
    admitted(database)
    end(database, first, state)
    with database.transaction() as session:
        views = [read_job(session, job) for job in (second, third)]
    assert [view.state for view in views] == 2 * [JobState.CANCELLED]
    assert views[0].failure is not None
    assert "comes after" in views[0].failure.message
    assert admitted(database) == {stubborn}


def test_a_cancelled_job_stays_cancelled_when_its_turn_comes(database: Database) -> None:
    first = submit(database)
    second = submit(database, first)
    with database.transaction() as session:
        request_cancel(session, second)
    admitted(database)
    end(database, first)
    assert admitted(database) == set()


def test_a_job_comes_after_jobs_of_its_own_owner_only(database: Database) -> None:
    theirs = submit(database, owner="b")
    for strange in (theirs, uuid4()):
        with pytest.raises(BadRequestError, match=f"{strange}, which is no job of the owner a"):
            submit(database, strange, owner="a")
