"""Writes on the run whose lease this worker holds; a stale lease writes nothing."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, func, select, update

from engine_workers.claim import RETRIED_EVENT, RUNNING, Lease, after, tell, tell_end
from engine_workers.errors import StaleLeaseError
from engine_workers.heard_on import HeardOn
from schemas.database import notify, telling
from schemas.jobs import JobState
from schemas.names import CHANNEL_FREED, CHANNEL_JOBS, CHANNEL_WORK
from schemas.retries import retry_delay
from schemas.runs import Failure, FailureKind, RunOutcome, RunState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from engine_workers.reuse import Reused
    from schemas.database import Database
    from schemas.transcript import Transcript

#: So many characters have to be heard before the language of them counts for other parts.
TELLING_CHARACTERS = 40


def renew(
    database: Database,
    lease: Lease,
    *,
    progress_seconds: float,
    audio_seconds: float | None,
    notify_watchers: bool,
    heard_on: HeardOn | None = None,
) -> bool:
    """Make the lease last from now on, store the progress; return whether to go on.

    Raises:
        StaleLeaseError: the run is another's by now, or has ended.
        LedgerError: the database does not answer.
    """
    with database.transaction() as session:
        wanted = session.execute(
            update(EngineRun)
            .where(_held(lease), Job.id == EngineRun.job_id)
            .values(
                lease_expires_at=after(lease.seconds),
                progress_seconds=progress_seconds,
                audio_seconds=audio_seconds,
                **(heard_on.columns() if heard_on else {}),
            )
            .returning(and_(Job.cancel_requested_at.is_(None), Job.state == JobState.RUNNING.value))
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if wanted is None:
            raise StaleLeaseError
        if notify_watchers:
            notify(session, CHANNEL_JOBS, lease.job_id)
        return bool(wanted)


def is_wanted(database: Database, lease: Lease) -> bool:
    """Return whether to go on with the run; cheaper than renewing its lease.

    Raises:
        StaleLeaseError: the run is another's by now, or has ended.
        LedgerError: the database does not answer.
    """
    with database.reading() as session:
        found = session.execute(
            select(Job.state, Job.cancel_requested_at)
            .join(EngineRun, EngineRun.job_id == Job.id)
            .where(_held(lease))
        ).one_or_none()
    if found is None:
        raise StaleLeaseError
    state, cancel_requested_at = found
    return bool(state == JobState.RUNNING.value and cancel_requested_at is None)


def save_transcript(
    database: Database,
    lease: Lease,
    transcript: Transcript,
    processing_seconds: float,
    *,
    heard_by: str | None = None,
    reused: Reused | None = None,
) -> RunOutcome:
    """Store what the engine heard; the run has succeeded.

    Args:
        database: the ledger.
        lease: what the run was claimed by.
        transcript: what was heard.
        processing_seconds: how long that took.
        heard_by: by what it was heard, so that it may answer others; None: it may not.
        reused: the earlier run that heard it, if the engine did not listen.

    Raises:
        StaleLeaseError: the run is another's by now, or has ended.
        LedgerError: the database does not answer.
    """
    if lease.span is not None:
        _tell_language(database, lease, transcript)
    packed = zlib.compress(transcript.model_dump_json().encode())
    told = {
        "run": str(lease.run_id),
        "engine": lease.engine,
        "attempt": lease.attempt,
        "worker": lease.owner,
        "seconds": round(processing_seconds, 3),
        "audio_seconds": round(transcript.audio_seconds, 3),
        **({"reused": str(reused.run_id)} if reused else {}),
    }
    kept = heard_by is not None and reused is None
    values = {
        "run": lease.run_id,
        "token": lease.attempt,
        "packed": packed,
        "length": transcript.audio_seconds,
        "took": reused.processing_seconds if reused else processing_seconds,
        "asked": lease.question if kept else None,
        "heard_by": heard_by if kept else None,
        "digest": hashlib.sha256(packed).hexdigest() if kept else None,
        "reused_from": reused.run_id if reused else None,
        **HeardOn(None if reused else lease.device, transcript.model).columns(),
        "data": told,
    }
    with database.statements() as connection:
        if connection.execute(_SAVE, values).one_or_none() is None:
            raise StaleLeaseError
    return RunOutcome(run_id=lease.run_id, state=RunState.SUCCEEDED)


def _tell_language(database: Database, lease: Lease, transcript: Transcript) -> None:
    """Let the parts that are heard later be heard in the language that was detected first."""
    if lease.request.language or not transcript.language:
        return
    if lease.heard_language or len(transcript.text) < TELLING_CHARACTERS:
        return
    with database.transaction() as session:
        session.execute(
            update(Job)
            .where(Job.id == lease.job_id, Job.heard_language.is_(None))
            .values(heard_language=transcript.language)
            .execution_options(synchronize_session=False)
        )


def save_failure(
    database: Database,
    lease: Lease,
    failure: Failure,
    processing_seconds: float,
    *,
    forced: bool = False,
) -> RunOutcome:
    """Store why the run did not succeed: cancelled, failed, or due again after a while.

    Args:
        database: the ledger.
        lease: what the run was claimed by.
        failure: what happened.
        processing_seconds: how long it took.
        forced: the task will not return, so that the coordinator has to look after the job.

    Raises:
        StaleLeaseError: the run is another's by now, or has ended.
        LedgerError: the database does not answer.
    """
    state, kind, again = RunState.FAILED, "run_failed", None
    if failure.kind is FailureKind.CANCELLED:
        state, kind = RunState.CANCELLED, "run_cancelled"
    else:
        again = retry_delay(failure.kind, lease.counted)
    told = {"worker": lease.owner, "kind": failure.kind.value, "why": failure.message}
    with database.transaction() as session:
        if again is not None:
            state, kind = RunState.QUEUED, RETRIED_EVENT
            told["after_seconds"] = f"{again:g}"
            _write(session, lease, state=state.value, due_at=after(again), progress_seconds=0.0)
        else:
            stored = None if state is RunState.CANCELLED else failure.model_dump(mode="json")
            _end(session, lease, state, failure=stored, processing_seconds=processing_seconds)
        if forced or again is not None:
            notify(session, CHANNEL_WORK, lease.job_id)
            tell(session, lease, kind, **told)
        else:
            tell_end(session, lease, kind, **told)
    return RunOutcome(run_id=lease.run_id, state=state)


def _end(session: Session, lease: Lease, state: RunState, **values: object) -> None:
    _write(session, lease, state=state.value, finished_at=func.now(), **values)


def _write(session: Session, lease: Lease, **values: object) -> None:
    written = session.execute(
        update(EngineRun)
        .where(_held(lease))
        .values(owner=None, lease_expires_at=None, **values)
        .returning(EngineRun.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if written is None:
        raise StaleLeaseError


def _held(lease: Lease) -> ColumnElement[bool]:
    return and_(
        EngineRun.id == lease.run_id,
        EngineRun.attempt == lease.attempt,
        EngineRun.state == RUNNING,
    )


#: Stores a transcript with the run's end, in one statement; gives nothing back for a stale lease.
_SAVE = telling(
    update(EngineRun)
    .where(
        EngineRun.id == bindparam("run"),
        EngineRun.attempt == bindparam("token"),
        EngineRun.state == RUNNING,
    )
    .values(
        state=RunState.SUCCEEDED.value,
        owner=None,
        lease_expires_at=None,
        finished_at=func.now(),
        transcript=bindparam("packed"),
        audio_seconds=bindparam("length"),
        progress_seconds=bindparam("length"),
        processing_seconds=bindparam("took"),
        question=bindparam("asked"),
        heard_by=bindparam("heard_by"),
        digest=bindparam("digest"),
        reused_from=bindparam("reused_from"),
        device=bindparam("device"),
        model=bindparam("model"),
    )
    .returning(EngineRun.job_id),
    "run_succeeded",
    wakes=lambda _job: func.pg_notify(CHANNEL_FREED, ""),
)
