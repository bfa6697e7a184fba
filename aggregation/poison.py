"""Ends a job whose comparison fails again and again, so that nobody waits for it for ever."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select

from aggregation import store
from schemas.database import Database, record_event
from schemas.jobs import JobState
from schemas.runs import Failure, FailureKind
from schemas.tables import StoredEvent

#: Failures of one job's comparison after which the job has failed.
MAX_FAILURES = 3
#: The event that counts them.
FAILED_EVENT = "aggregation_failed"
#: Characters of an error's message that are kept.
MAX_MESSAGE_CHARACTERS = 500


def note_failure(database: Database, job_id: UUID, error: Exception) -> bool:
    """Write down that the comparison failed; return whether that was the last time.

    The engines' transcripts are kept: a later version can merge them.

    Raises:
        LedgerError: the database does not answer.
    """
    text = f"{type(error).__name__}: {error}".replace("\x00", " ")[:MAX_MESSAGE_CHARACTERS]
    with database.transaction() as session:
        record_event(session, job_id, FAILED_EVENT, error=text)
        failures = session.scalar(
            select(func.count()).where(
                StoredEvent.job_id == job_id, StoredEvent.kind == FAILED_EVENT
            )
        )
        if (failures or 0) < MAX_FAILURES:
            return False
        message = f"the transcripts could not be compared in {failures} attempts: {text}"
        failure = Failure(kind=FailureKind.AGGREGATION_ERROR, message=message)
        store.end_job(
            session,
            job_id,
            JobState.FAILED,
            failure=failure,
            figures={"failure": failure.kind.value, "message": message},
        )
    return True
