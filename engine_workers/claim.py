"""Takes a run for this worker, or says why it is not to be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Float, Text, and_, bindparam, cast, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from engine_workers.errors import NotClaimableError
from schemas.audio import AudioRef, Span
from schemas.database import record_end, record_event, telling
from schemas.jobs import JobRequest, JobState
from schemas.retries import MAX_ATTEMPTS, Ease, eases
from schemas.runs import Failure, FailureKind, RunMessage, RunOutcome, RunState
from schemas.tables import EngineRun, Job, StoredEvent

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.orm import Session

    from schemas.database import Database

#: The event of an attempt that failed and is followed by another.
RETRIED_EVENT = "run_retried"
QUEUED, RUNNING = RunState.QUEUED.value, RunState.RUNNING.value


@dataclass(frozen=True)
class Lease:
    """The right to work on one run, for as long as it is renewed."""

    run_id: UUID
    job_id: UUID
    engine: str
    #: The fencing token: only what carries the row's own number is written.
    attempt: int
    #: How many of the attempts count against the run, this one included.
    counted: int
    owner: str
    #: How long the lease lasts without being renewed.
    seconds: float
    request: JobRequest
    audio: AudioRef
    #: What is eased in this attempt, because earlier ones ran out of memory.
    eases: tuple[Ease, ...] = ()
    #: Which part of the recording it is; None: all of it.
    span: Span | None = None
    #: The language that another part was heard in.
    heard_language: str | None = None
    #: SHA-256 of what is asked, of which part of which recording.
    question: str = ""
    #: Whether the same was asked before, and answered.
    known: bool = False
    #: What it is heard on: `cpu`, or what the card is called; None before that is known.
    device: str | None = None


def claim(
    database: Database, message: RunMessage, owner: str, lease_seconds: float
) -> Lease | RunOutcome:
    """Take the run that `message` names, for `owner`; the database's clock counts the seconds.

    Returns:
        The lease, or the outcome of a run that needs no work: it has ended, its job is being
        cancelled or paused, or it has used up its attempts.

    Raises:
        NotClaimableError: a live lease is another's, or the run is not to be worked on now.
        LedgerError: the database does not answer; nothing was changed.
    """
    asked = {
        "run": message.run_id,
        "job": message.job_id,
        "by": owner,
        "lease_seconds": lease_seconds,
    }
    story = {"run": str(message.run_id), "worker": owner}
    with database.statements() as connection:
        taken = connection.execute(_TAKE_FIRST, {**asked, "data": story}).one_or_none()
    if taken is not None:
        return _lease(message, owner, lease_seconds, taken, ())
    with database.transaction() as session:
        taken = session.connection().execute(_TAKE, asked).one_or_none()
        if taken is None:
            return _decline(session, message)
        eased = eases(_out_of_memory(session, message))
        lease = _lease(message, owner, lease_seconds, taken, eased)
        told = {"eased": ", ".join(eased)} if eased else {}
        tell(session, lease, "run_started", worker=owner, **told)
        return lease


def _lease(
    message: RunMessage, owner: str, seconds: float, taken: Row[Any], eased: tuple[Ease, ...]
) -> Lease:
    return Lease(
        message.run_id,
        message.job_id,
        taken.engine,
        taken.attempt,
        taken.counted,
        owner,
        seconds,
        JobRequest.model_validate(taken.request),
        AudioRef.model_validate(taken.audio),
        eased,
        _span(taken),
        taken.heard_language,
        taken.question,
        taken.known,
    )


def _span(taken: Row[Any]) -> Span | None:
    if taken.chunk_seconds is None:
        return None
    return Span(start=taken.chunk_start, seconds=taken.chunk_seconds)


def _out_of_memory(session: Session, message: RunMessage) -> int:
    """Return how many attempts at the run have run out of memory: its story counts them."""
    counted = select(func.count()).where(
        StoredEvent.job_id == message.job_id,
        StoredEvent.kind == RETRIED_EVENT,
        StoredEvent.data["run"].astext == str(message.run_id),
        StoredEvent.data["kind"].astext == FailureKind.OUT_OF_MEMORY.value,
    )
    return session.scalar(counted) or 0


def after(seconds: float | ColumnElement[float]) -> ColumnElement[datetime]:
    """Return the moment `seconds` from now, by the database's clock."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def tell(session: Session, lease: Lease, kind: str, /, **data: object) -> None:
    """Add what happened to the run to its job's story."""
    about = {"run": str(lease.run_id), "engine": lease.engine, "attempt": lease.attempt}
    record_event(session, lease.job_id, kind, **about, **data)


def tell_end(session: Session, lease: Lease, kind: str, /, **data: object) -> None:
    """Do as `tell`, and let the coordinators know that a place is free."""
    about = {"run": str(lease.run_id), "engine": lease.engine, "attempt": lease.attempt}
    record_end(session, lease.job_id, kind, **about, **data)


def _free() -> ColumnElement[bool]:
    abandoned = and_(EngineRun.state == RUNNING, EngineRun.lease_expires_at < func.now())
    return or_(EngineRun.state == QUEUED, abandoned)


def _decline(session: Session, message: RunMessage) -> RunOutcome:
    """Settle what can be settled of a run that was not to be had."""
    found = session.execute(
        select(EngineRun, Job, _free().label("free"))
        .join(Job)
        .where(EngineRun.id == message.run_id, EngineRun.job_id == message.job_id)
        .with_for_update(of=EngineRun)
    ).one_or_none()
    if found is None:
        text = f"there is no run {message.run_id} of job {message.job_id}"
        raise NotClaimableError(text)
    run, job, free = found
    if RunState(run.state).terminal:
        return RunOutcome(run_id=run.id, state=RunState(run.state))
    if not free:
        text = f"{run.owner} is at work on it (attempt {run.attempt})"
        raise NotClaimableError(text)
    if job.cancel_requested_at is not None or JobState(job.state).terminal:
        return _end(session, run, RunState.CANCELLED, None)
    if run.attempt - run.forgiven >= MAX_ATTEMPTS:
        text = f"its worker died or fell silent in each of {MAX_ATTEMPTS} attempts"
        return _end(
            session, run, RunState.FAILED, Failure(kind=FailureKind.WORKER_LOST, message=text)
        )
    if job.paused_at is not None and run.state == QUEUED:
        run.due_at = func.now()  # given back: it is published anew when the job goes on
        return RunOutcome(run_id=run.id, state=RunState.QUEUED)
    text = f"its job is {job.state}"
    raise NotClaimableError(text)


def _end(session: Session, run: EngineRun, state: RunState, failure: Failure | None) -> RunOutcome:
    run.state = state.value
    run.owner = run.lease_expires_at = run.due_at = None
    run.finished_at = func.now()
    run.failure = failure.model_dump(mode="json") if failure else None
    data = {"why": failure.message} if failure else {}
    record_event(
        session,
        run.job_id,
        f"run_{state.value}",
        run=str(run.id),
        engine=run.engine,
        attempt=run.attempt,
        **data,
    )
    return RunOutcome(run_id=run.id, state=state)


#: What is asked: SHA-256 of all that a run's answer depends on, but for by whom it is heard.
_QUESTION = func.encode(
    func.sha256(
        func.convert_to(
            cast(
                func.jsonb_build_array(
                    Job.audio["sha256"],
                    EngineRun.engine,
                    EngineRun.chunk_start,
                    EngineRun.chunk_seconds,
                    Job.request["language"],
                    Job.request["options"].op("->")(EngineRun.engine),
                    Job.heard_language,
                ),
                Text,
            ),
            "UTF8",
        )
    ),
    "hex",
)
_EARLIER = aliased(EngineRun)
#: Claims a run that is to be had; gives nothing back for any other.
_TAKE = (
    update(EngineRun)
    .where(
        EngineRun.id == bindparam("run"),
        EngineRun.job_id == bindparam("job"),
        Job.id == EngineRun.job_id,
        _free(),
        EngineRun.attempt - EngineRun.forgiven < MAX_ATTEMPTS,
        Job.state == JobState.RUNNING.value,
        Job.cancel_requested_at.is_(None),
        Job.paused_at.is_(None),
    )
    .values(
        state=RUNNING,
        owner=bindparam("by"),
        attempt=EngineRun.attempt + 1,
        lease_expires_at=after(bindparam("lease_seconds", type_=Float)),
        due_at=None,
        progress_seconds=0.0,
        started_at=func.now(),
        failure=None,
        device=None,
        model=None,
    )
    .returning(
        EngineRun.job_id,
        EngineRun.engine,
        EngineRun.attempt,
        (EngineRun.attempt - EngineRun.forgiven).label("counted"),
        EngineRun.chunk_start,
        EngineRun.chunk_seconds,
        Job.request,
        Job.audio,
        Job.heard_language,
        _QUESTION.label("question"),
        exists().where(_EARLIER.question == _QUESTION).label("known"),
    )
)
#: Claims one that nobody has tried, which is nearly every one, and tells it, in one statement.
_TAKE_FIRST = telling(
    _TAKE.where(EngineRun.attempt == 0), "run_started", told=("engine", "attempt")
)
