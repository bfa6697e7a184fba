"""Ends a job whose comparison fails again and again, so that nobody waits for it for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from aggregation import store
from schemas.database import Database, record_event
from schemas.jobs import JobState
from schemas.runs import Failure, FailureKind
from schemas.tables import StoredEvent

#: Failures of one job's comparison after which the job has failed, deaths of its process too.
MAX_FAILURES = 3
#: The event that counts them, and the one that is written before a job is compared once more.
FAILED_EVENT, STARTED_EVENT = "aggregation_failed", "aggregation_started"
#: Minutes after which a process that was cut off no longer keeps others from its job.
MAX_MINUTES = 60
#: Characters of an error's message that are kept.
MAX_MESSAGE_CHARACTERS = 500


class Again(StrEnum):
    """Whether a job that was begun before may be compared once more."""

    YES = "yes"
    #: Somebody is at it.
    BUSY = "busy"
    #: It has ended its process too often, and has failed by now.
    NEVER = "never"


@contextmanager
def once_more(database: Database, job_id: UUID) -> Iterator[Again]:
    """Write down that the job is to be compared again, before the block does so.

    A death leaves no other trace. The first attempt is not written down, for nearly all jobs need
    no other; whoever comes here knows that there was one. While the block runs nobody else gets in.

    Raises:
        LedgerError: the database does not answer.
    """
    with database.transaction() as session:
        key = func.hashtextextended(f"aggregation of {job_id}", 0)
        if not session.scalar(select(func.pg_try_advisory_xact_lock(key))):
            yield Again.BUSY
            return
        session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{MAX_MINUTES}min'"))
        yield Again.YES if _note_start(database, job_id) else Again.NEVER


def _note_start(database: Database, job_id: UUID) -> bool:
    """Count the attempt; return False, with the job failed, when there were too many."""
    with database.transaction() as session:
        before = 1 + _count(session, job_id, STARTED_EVENT)
        if before < MAX_FAILURES:
            record_event(session, job_id, STARTED_EVENT, attempt=before + 1)
            return True
        message = (
            f"comparing the transcripts ended the process in each of {before} attempts; "
            "the log of the aggregation's worker says how"
        )
        _fail(session, job_id, message)
        return False


def note_failure(database: Database, job_id: UUID, error: Exception) -> bool:
    """Write down that the comparison failed; return whether that was the last time.

    The engines' transcripts are kept: a later version can merge them.

    Raises:
        LedgerError: the database does not answer.
    """
    what = f"{type(error).__name__}: {error}".replace("\x00", " ")[:MAX_MESSAGE_CHARACTERS]
    with database.transaction() as session:
        record_event(session, job_id, FAILED_EVENT, error=what)
        failures = _count(session, job_id, FAILED_EVENT)
        if failures < MAX_FAILURES:
            return False
        _fail(
            session,
            job_id,
            f"the transcripts could not be compared in {failures} attempts: {what}",
        )
    return True


def _count(session: Session, job_id: UUID, kind: str) -> int:
    counted = select(func.count()).where(StoredEvent.job_id == job_id, StoredEvent.kind == kind)
    return session.scalar(counted) or 0


def _fail(session: Session, job_id: UUID, message: str) -> None:
    failure = Failure(kind=FailureKind.AGGREGATION_ERROR, message=message)
    figures = {"failure": failure.kind.value, "message": message}
    connection = session.connection()
    store.end_job(connection, job_id, JobState.FAILED, failure=failure, figures=figures)
