"""Holds jobs back, then lets them go on: queued work only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, update

from coordinator.errors import BatchNotFoundError, JobNotFoundError
from coordinator.ledger import read_job
from coordinator.placing import hold, release
from schemas.database import notify, record_event, record_events
from schemas.jobs import JobState, JobView
from schemas.names import CHANNEL_WORK
from schemas.tables import Batch, Job

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session


def pause(session: Session, job_id: UUID) -> JobView:
    """Start nothing more of a job; engines that run finish what they are at.

    Runs whose message the broker has already taken are not recalled: their worker gives them
    back when it claims them.

    Raises:
        JobNotFoundError: there is none of that id.
    """
    job = _open_job(session, job_id)
    if job is not None and job.paused_at is None:
        job.paused_at = func.now()
        hold(session, [job_id])
        record_event(session, job_id, "job_paused")
        session.flush()
    return read_job(session, job_id)


def resume(session: Session, job_id: UUID) -> JobView:
    """Let a paused job go on.

    Raises:
        JobNotFoundError: there is none of that id.
    """
    job = _open_job(session, job_id)
    if job is not None and job.paused_at is not None:
        job.paused_at = None
        session.flush()
        release(session, [job_id])
        record_event(session, job_id, "job_unpaused")
        notify(session, CHANNEL_WORK, job_id)
        session.flush()
    return read_job(session, job_id)


def pause_batch(session: Session, batch_id: UUID) -> int:
    """Pause a batch's unfinished jobs, and those still to come; return how many were paused.

    Raises:
        BatchNotFoundError: there is none of that id.
    """
    _lock_batch(session, batch_id).paused_at = func.now()
    return _change_all(session, batch_id, "job_paused", Job.paused_at.is_(None), func.now())


def resume_batch(session: Session, batch_id: UUID) -> int:
    """Let a batch's paused jobs go on; return how many there were.

    Raises:
        BatchNotFoundError: there is none of that id.
    """
    _lock_batch(session, batch_id).paused_at = None
    changed = _change_all(session, batch_id, "job_unpaused", Job.paused_at.is_not(None), None)
    notify(session, CHANNEL_WORK, batch_id)
    return changed


def _lock_batch(session: Session, batch_id: UUID) -> Batch:
    batch = session.get(Batch, batch_id, with_for_update=True)
    if batch is None:
        message = f"there is no batch {batch_id}"
        raise BatchNotFoundError(message)
    return batch


def _change_all(
    session: Session, batch_id: UUID, kind: str, which: ColumnElement[bool], paused_at: object
) -> int:
    jobs = session.scalars(
        update(Job)
        .where(Job.batch_id == batch_id, Job.finished_at.is_(None), which)
        .values(paused_at=paused_at)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    if paused_at is None:
        release(session, jobs)
    else:
        hold(session, jobs)
    record_events(session, jobs, kind)
    return len(jobs)


def _open_job(session: Session, job_id: UUID) -> Job | None:
    """Return the locked job, or None when it has ended."""
    job = session.get(Job, job_id, with_for_update={"key_share": True})
    if job is None:
        message = f"there is no job {job_id}"
        raise JobNotFoundError(message)
    return None if JobState(job.state).terminal else job
