"""Chooses the next jobs to be worked on: first come, first served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from schemas.database import record_events
from schemas.jobs import JobState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

#: Jobs admitted in one transaction.
ADMISSION_BATCH = 100


def admit(session: Session, limit: int = ADMISSION_BATCH) -> tuple[UUID, ...]:
    """Admit the oldest waiting jobs; coordinators that admit at the same time never meet.

    Returns:
        the ids of the admitted jobs, at most `limit`; they still have to be published.
    """
    waiting = (
        select(Job.id)
        .where(Job.state == JobState.QUEUED.value, Job.paused_at.is_(None))
        .order_by(Job.created_at, Job.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    admitted = session.scalars(
        update(Job)
        .where(Job.id.in_(waiting))
        .values(state=JobState.RUNNING.value, admitted_at=func.now())
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    if not admitted:
        return ()
    # Due since they were submitted: the broker is given them in the order in which they came.
    session.execute(
        update(EngineRun)
        .where(EngineRun.job_id.in_(admitted), EngineRun.job_id == Job.id)
        .values(due_at=Job.created_at)
        .execution_options(synchronize_session=False)
    )
    record_events(session, admitted, "job_admitted")
    return tuple(admitted)
