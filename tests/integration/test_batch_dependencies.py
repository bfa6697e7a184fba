"""A job that comes after batches starts when all their jobs have ended, or is skipped."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from coordinator.admission import admit
from coordinator.asking import make_schedule
from coordinator.bulk import accept_many
from coordinator.dependencies import resolve
from coordinator.errors import BadRequestError, BatchNotFoundError, BatchSealedError
from coordinator.ledger import read_events, read_job, request_cancel
from coordinator.submit import accept, job_request
from coordinator.why import explain
from schemas.audio import AudioRef
from schemas.dependency_tables import BatchDependency
from schemas.jobs import JobState
from schemas.scheduling import Schedule
from schemas.tables import Batch, Job
from tests.integration.engine_rows import until, waiting_for_locks
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
REQUEST = job_request(["fake"])
PATIENCE_SECONDS = 30


@pytest.fixture(autouse=True)
def workers(database: Database) -> None:
    """Let the engine be served."""
    serve(database, "fake")


def new_batch(database: Database) -> UUID:
    with database.transaction() as session:
        batch = Batch(id=uuid4())
        session.add(batch)
    return batch.id


def submit(
    database: Database,
    batch: UUID | None = None,
    *,
    batches: Sequence[UUID] = (),
    key: str | None = None,
    **how: object,
) -> UUID:
    """Submit a job of a batch that comes after other batches."""
    schedule = Schedule.model_validate({"after_batches": tuple(batches), **how})
    with database.transaction() as session:
        return accept(
            session, REQUEST, AUDIO, batch_id=batch, schedule=schedule, idempotency_key=key
        ).job_id


def end(database: Database, *jobs: UUID, state: JobState = JobState.COMPLETED) -> None:
    with database.transaction() as session:
        ended = {"state": state.value, "finished_at": func.now()}
        session.execute(update(Job).where(Job.id.in_(jobs)).values(**ended))
    with database.transaction() as session:
        resolve(session, among=jobs)


def admitted(database: Database) -> set[UUID]:
    with database.transaction() as session:
        return set(admit(session, RULES))


def test_a_job_waits_for_every_job_of_each_batch_that_it_comes_after(database: Database) -> None:
    first, second = new_batch(database), new_batch(database)
    one, two, three = (submit(database, batch) for batch in (first, first, second))
    last = submit(database, batches=[first, second])
    assert admitted(database) == {one, two, three}
    end(database, one, three)
    assert admitted(database) == set()
    end(database, two)
    assert admitted(database) == {last}


def test_batches_come_after_batches(database: Database) -> None:
    batches = [new_batch(database) for _ in range(3)]
    jobs = [submit(database, batches[0]) for _ in range(2)]
    for earlier, batch in pairwise(batches):
        with database.transaction() as session:
            schedule = Schedule(after_batches=(earlier,))
            jobs += accept_many(session, REQUEST, 2 * [AUDIO], batch_id=batch, schedule=schedule)
    for pair in (jobs[:2], jobs[2:4], jobs[4:]):
        assert admitted(database) == set(pair)
        end(database, *pair)


def test_an_empty_or_ended_batch_does_not_hold_a_job_back(database: Database) -> None:
    empty, ended = new_batch(database), new_batch(database)
    end(database, submit(database, ended))
    last = submit(database, batches=[empty, ended])
    assert admitted(database) == {last}


def test_a_batch_that_something_comes_after_takes_no_more_jobs(database: Database) -> None:
    batch = new_batch(database)
    known = submit(database, batch, key="mine")
    submit(database, batches=[batch])
    with pytest.raises(BatchSealedError, match=f"{batch} takes no more jobs.*a new batch"):
        submit(database, batch)
    with pytest.raises(BatchSealedError), database.transaction() as session:
        accept_many(session, REQUEST, [AUDIO], batch_id=batch)
    assert submit(database, batch, key="mine") == known  # as it was accepted before


def test_two_batches_cannot_wait_for_each_other(database: Database) -> None:
    first, second = new_batch(database), new_batch(database)
    submit(database, first)
    submit(database, second, batches=[first])
    with pytest.raises(BatchSealedError):
        submit(database, first, batches=[second])
    with pytest.raises(BadRequestError, match="cannot come after the whole of that batch"):
        submit(database, second, batches=[second])


def test_a_refused_submission_seals_nothing(database: Database) -> None:
    batch = new_batch(database)
    with pytest.raises(BadRequestError):
        submit(database, batches=[batch, uuid4()])
    with pytest.raises(BadRequestError, match="2,000,000 dependencies"):
        _too_many(database, batch)
    submit(database, key="mine")
    submit(database, key="mine", batches=[batch])  # answered by the job that is there
    assert submit(database, batch) in admitted(database)


def _too_many(database: Database, batch: UUID) -> None:
    batches = [batch, *(new_batch(database) for _ in range(19))]
    for one in batches:
        submit(database, one)
    with database.transaction() as session:
        recordings = 100_000 * [AUDIO]
        schedule = Schedule(after_batches=tuple(batches))
        accept_many(session, REQUEST, recordings, schedule=schedule)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_job_comes_after_batches_of_its_own_owner_only(
    database: Database, *, sealed: bool
) -> None:
    theirs = new_batch(database)
    submit(database, theirs, owner="b")
    if sealed:
        submit(database, batches=[theirs], owner="b")
    for strange in (theirs, uuid4()):
        with pytest.raises(BadRequestError, match=f"{strange}, which is no batch of the owner a"):
            submit(database, batches=[strange], owner="a")
    with pytest.raises(BatchNotFoundError):
        submit(database, uuid4())


def test_more_than_a_hundred_batches_are_refused() -> None:
    with pytest.raises(BadRequestError, match="after_batches"):
        make_schedule({"after_batches": [uuid4() for _ in range(101)]})


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_a_failure_within_a_batch_skips_what_comes_after_it(
    database: Database, state: JobState
) -> None:
    first, second = new_batch(database), new_batch(database)
    good, bad = submit(database, first), submit(database, first)
    middle = submit(database, second, batches=[first])
    last = submit(database, batches=[second])
    stubborn = submit(database, batches=[first], on_failed_dependency="run_anyway")
    admitted(database)
    end(database, bad, state=state)
    with database.transaction() as session:
        assert read_job(session, middle).state is JobState.QUEUED  # the batch goes on
    end(database, good)
    with database.transaction() as session:
        assert [read_job(session, job).state for job in (middle, last)] == 2 * [JobState.CANCELLED]
        (skipped,) = (e for e in read_events(session, middle) if e.kind == "job_skipped")
        assert session.scalar(select(func.count()).select_from(BatchDependency)) == 0
    assert skipped.data == {"after_batch": str(first), "was": state.value}
    assert admitted(database) == {stubborn}


def test_the_sweep_lets_go_what_nobody_was_woken_for(database: Database) -> None:
    batch = new_batch(database)
    job = submit(database, batch)
    last = submit(database, batches=[batch])
    with database.transaction() as session:
        request_cancel(session, job)
        assert resolve(session) == 1
        assert read_job(session, last).state is JobState.CANCELLED


def test_a_job_that_is_just_entering_a_batch_is_waited_for(database: Database) -> None:
    batch = new_batch(database)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            entering = accept(session, REQUEST, AUDIO, batch_id=batch).job_id
            after = pool.submit(submit, database, batches=[batch])
            until(lambda: waiting_for_locks(database) > 0)
        last = after.result(PATIENCE_SECONDS)
    assert admitted(database) == {entering}
    end(database, entering)
    assert admitted(database) == {last}


def test_submissions_that_would_close_a_circle_at_a_time_do_not_block_each_other(
    database: Database,
) -> None:
    def one(own: UUID, other: UUID) -> str:
        begin.wait(PATIENCE_SECONDS)
        try:
            submit(database, own, batches=[other])
        except BatchSealedError:
            return "sealed"
        return "accepted"

    for _ in range(10):
        pair, begin = [new_batch(database), new_batch(database)], threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            told = pool.map(one, pair, reversed(pair), timeout=PATIENCE_SECONDS)
        assert sorted(told) == ["accepted", "sealed"]


def test_why_names_the_batch_that_a_job_comes_after(database: Database) -> None:
    batch = new_batch(database)
    for _ in range(2):
        submit(database, batch)
    last = submit(database, batches=[batch], after=(submit(database),))
    with database.transaction() as session:
        reason = explain(session, last, RULES).runs[0].reason
        assert read_job(session, last).schedule.blockers == 2
    told = f"comes after 1 job not ended yet; after batch {batch}, of which 2 jobs not ended yet"
    assert told in reason
