"""Rescues what a death left behind: dead leases, lost messages, jobs that nobody ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, func, literal, select, true, update
from sqlalchemy.orm import aliased

from schemas.database import record_event
from schemas.jobs import JobState
from schemas.retries import MAX_ATTEMPTS
from schemas.runs import Failure, FailureKind, RunState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

#: Any number that nobody else locks: of several coordinators one sweeps at a time.
SWEEP_LOCK = 0x63686F7265
QUEUED, RUNNING = RunState.QUEUED.value, RunState.RUNNING.value
#: Runs whose loss is told in one sweep; the rest waits for the next.
MAX_RESCUED = 1000


def take_lock(session: Session) -> bool:
    """Return whether this transaction is the one that sweeps; held until it ends."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(SWEEP_LOCK))))


def end_dead_leases(session: Session) -> int:
    """End the leases that nobody renewed; return their number.

    A run whose job is being cancelled is cancelled, one that has used up its attempts has
    failed (its worker was lost each time), any other is due again at once.
    """
    dead = session.execute(
        select(
            EngineRun.id,
            EngineRun.job_id,
            EngineRun.attempt,
            EngineRun.forgiven,
            Job.cancel_requested_at,
        )
        .join(Job, Job.id == EngineRun.job_id)
        .where(EngineRun.state == RUNNING, EngineRun.lease_expires_at < func.now())
        .limit(MAX_RESCUED)
        .with_for_update(of=EngineRun, skip_locked=True)
    ).all()
    for run_id, job_id, attempt, forgiven, cancelled in dead:
        if cancelled is not None:
            kind, values = "run_cancelled", _ended(RunState.CANCELLED)
        elif attempt - forgiven >= MAX_ATTEMPTS:
            kind, values = "run_failed", _ended(RunState.FAILED, _lost())
        else:
            kind, values = "run_rescued", {"state": QUEUED, "due_at": func.now()}
        released = {"owner": None, "lease_expires_at": None, "progress_seconds": 0.0}
        session.execute(
            update(EngineRun).where(EngineRun.id == run_id).values(**values, **released)
        )
        record_event(session, job_id, kind, run=str(run_id), attempt=attempt, why="lease expired")
    return len(dead)


def _ended(state: RunState, failure: Failure | None = None) -> dict[str, object]:
    return {
        "state": state.value,
        "finished_at": func.now(),
        "failure": failure.model_dump(mode="json") if failure else None,
    }


def _lost() -> Failure:
    message = f"its worker died or fell silent in each of {MAX_ATTEMPTS} attempts"
    return Failure(kind=FailureKind.WORKER_LOST, message=message)


def engines_waited_for(session: Session, silent_seconds: float) -> tuple[str, ...]:
    """Return the engines that have runs which were published `silent_seconds` ago or longer."""
    return tuple(
        session.scalars(select(EngineRun.engine).where(_silent(silent_seconds)).distinct())
    )


def republish_lost(
    session: Session, silent_seconds: float, queue_lengths: Mapping[str, int]
) -> int:
    """Make runs due again whose message the broker has lost; return their number.

    A run that was published `silent_seconds` ago and never claimed is lost when its engine's
    queue is empty, or when a run published after it was claimed as long ago: queues are first in,
    first out, so it was overtaken. A message that is merely reserved by a busy worker may be
    taken for lost; then it is there twice, and the claim lets one of the two work.
    """
    later = aliased(EngineRun)
    overtaken = exists().where(
        later.engine == EngineRun.engine,
        later.published_at > EngineRun.published_at,
        later.started_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, silent_seconds),
    )
    empty = [engine for engine, length in queue_lengths.items() if length == 0]
    lost = (
        select(EngineRun.id)
        .where(_silent(silent_seconds), EngineRun.engine.in_(empty) | overtaken)
        .limit(MAX_RESCUED)
        .with_for_update(skip_locked=True)
    )
    found = session.execute(
        update(EngineRun)
        .where(EngineRun.id.in_(lost))
        .values(due_at=func.now())
        .returning(EngineRun.id, EngineRun.job_id)
        .execution_options(synchronize_session=False)
    ).all()
    for run_id, job_id in found:
        record_event(session, job_id, "run_republished", run=str(run_id), why="message lost")
    return len(found)


def _silent(seconds: float) -> ColumnElement[bool]:
    age = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    return and_(
        EngineRun.state == QUEUED,
        EngineRun.due_at.is_(None),
        EngineRun.published_at < func.now() - age,
    )


def end_cancelled(session: Session) -> int:
    """Cancel the jobs that were asked to stop and in which nothing runs any more."""
    ended = session.scalars(
        update(Job)
        .where(
            Job.state == JobState.RUNNING.value,
            Job.cancel_requested_at.is_not(None),
            ~_has_open_runs(),
        )
        .values(state=JobState.CANCELLED.value, finished_at=func.now())
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    for job_id in ended:
        record_event(session, job_id, "job_cancelled")
    return len(ended)


def part_from_chords(session: Session, among: Collection[UUID]) -> None:
    """Note which of the jobs have a run that ended badly, and may not have returned to the chord.

    The job's chord is then not relied on: its end is seen from the ledger.
    """
    badly = exists().where(
        EngineRun.job_id == Job.id,
        EngineRun.state.in_((RunState.FAILED.value, RunState.CANCELLED.value)),
    )
    session.execute(
        update(Job)
        .where(Job.id.in_(among), Job.one_chord, Job.finished_at.is_(None), badly)
        .values(one_chord=False)
        .execution_options(synchronize_session=False)
    )


def jobs_to_end(
    session: Session, silent_seconds: float, among: Collection[UUID] | None = None
) -> tuple[UUID, ...]:
    """Return running jobs whose runs have all ended `silent_seconds` ago: nobody compared them.

    Args:
        session: an open transaction.
        silent_seconds: how long a chord's own callback is given.
        among: look at these jobs alone; None looks at all.
    """
    recent = exists().where(
        EngineRun.job_id == Job.id,
        EngineRun.finished_at
        >= func.now() - func.make_interval(0, 0, 0, 0, 0, 0, literal(silent_seconds)),
    )
    return tuple(
        session.scalars(
            select(Job.id)
            .where(
                Job.state == JobState.RUNNING.value,
                ~_has_open_runs(),
                ~recent,
                Job.id.in_(among) if among is not None else true(),
            )
            .order_by(Job.created_at)
            .limit(MAX_RESCUED)
        )
    )


def _has_open_runs() -> ColumnElement[bool]:
    return exists().where(EngineRun.job_id == Job.id, EngineRun.state.in_((QUEUED, RUNNING)))
