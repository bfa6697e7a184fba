"""Ends runs that wait, or whole jobs, without an engine's doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from schemas.database import record_work
from schemas.jobs import JobState
from schemas.runs import Failure, FailureKind, RunState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy.orm import Session


def drop_runs(session: Session, run_ids: Collection[UUID], kind: FailureKind, message: str) -> int:
    """Let queued runs fail; return how many did. Their jobs go on without those engines."""
    failure = Failure(kind=kind, message=message)
    rows = session.execute(
        update(EngineRun)
        .where(EngineRun.id.in_(run_ids), EngineRun.state == RunState.QUEUED.value)
        .values(
            state=RunState.FAILED.value,
            finished_at=func.now(),
            due_at=None,
            failure=failure.model_dump(mode="json"),
        )
        .returning(EngineRun.job_id, EngineRun.id, EngineRun.engine)
        .execution_options(synchronize_session=False)
    ).all()
    _leave_line(session, [row.id for row in rows])
    # Only a job that has begun is looked after when its runs have ended.
    session.execute(
        update(Job)
        .where(
            Job.id.in_([row.job_id for row in rows]),
            Job.state.in_((JobState.QUEUED.value, JobState.RUNNING.value)),
        )
        .values(
            state=JobState.RUNNING.value,
            admitted_at=func.coalesce(Job.admitted_at, func.now()),
            one_chord=False,
        )
        .execution_options(synchronize_session=False)
    )
    for job_id, run_id, engine in rows:
        told = {"run": str(run_id), "engine": engine, "kind": kind.value, "why": message}
        record_work(session, job_id, "run_failed", **told)
    return len(rows)


def fail_job(session: Session, job_id: UUID, message: str, kind: FailureKind) -> None:
    """Let a job fail; an engine that runs is told to stop at its next sign of life."""
    failure = Failure(kind=kind, message=message)
    failed = session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.finished_at.is_(None))
        .values(
            state=JobState.FAILED.value,
            finished_at=func.now(),
            failure=failure.model_dump(mode="json"),
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if failed is None:
        return
    ended = session.scalars(
        update(EngineRun)
        .where(EngineRun.job_id == job_id, EngineRun.state == RunState.QUEUED.value)
        .values(state=RunState.CANCELLED.value, finished_at=func.now(), due_at=None)
        .returning(EngineRun.id)
        .execution_options(synchronize_session=False)
    ).all()
    _leave_line(session, ended)
    record_work(session, job_id, "job_failed", failure=failure.kind.value, message=message)


def _leave_line(session: Session, run_ids: Collection[UUID]) -> None:
    """Take ended runs out of line; a place in the window is taken back by the next admission."""
    waiting = select(EngineRun.id).where(EngineRun.id.in_(run_ids), EngineRun.place != "window")
    session.execute(
        update(EngineRun)
        .where(EngineRun.id.in_(waiting))
        .values(place=None)
        .execution_options(synchronize_session=False)
    )
