"""The questions that clients ask the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import case, exists, func, select, update
from sqlalchemy.orm import selectinload

from coordinator.errors import BadRequestError, JobNotFoundError
from coordinator.speeds import read_measured
from coordinator.views import event_view, job_view, preparation_view
from schemas.database import notify, record_event
from schemas.jobs import JobEvent, JobState, JobView
from schemas.media_table import Medium
from schemas.names import CHANNEL_WORK
from schemas.report import Report
from schemas.runs import RunState
from schemas.scheduling import Place
from schemas.tables import EngineRun, Job, StoredEvent, StoredReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from coordinator.speeds import Speeds

#: The most jobs one listing returns.
MAX_LISTED = 1000
#: Hexadecimal digits of a whole job id.
ID_DIGITS = 32


def find_job(session: Session, reference: str | UUID) -> UUID:
    """Return the id of the job that `reference`, an id or the unique beginning of one, means.

    Raises:
        JobNotFoundError: there is none, or more than one begins so.
    """
    if isinstance(reference, UUID):
        return reference
    digits = reference.strip().lower().replace("-", "")
    if not digits or len(digits) > ID_DIGITS or set(digits) - set("0123456789abcdef"):
        message = f"'{reference[:60]}' is no job id; `chordscribe list` shows them"
        raise JobNotFoundError(message)
    if len(digits) == ID_DIGITS:
        return UUID(digits)
    low, high = UUID(digits.ljust(ID_DIGITS, "0")), UUID(digits.ljust(ID_DIGITS, "f"))
    found = session.scalars(select(Job.id).where(Job.id.between(low, high)).limit(2)).all()
    if len(found) == 1:
        return found[0]
    problem = "more than one job's id begins" if found else "no job's id begins"
    message = f"{problem} with {reference}; `chordscribe list` shows them"
    raise JobNotFoundError(message)


def read_job(session: Session, job_id: UUID) -> JobView:
    """Return a job as it stands.

    Raises:
        JobNotFoundError: there is none of that id.
    """
    job = session.get(Job, job_id, options=[selectinload(Job.runs)], populate_existing=True)
    if job is None:
        message = f"there is no job {job_id}"
        raise JobNotFoundError(message)
    if not job.preparing or job.finished_at is not None:
        return job_view(job, speeds=_speeds(session, job))
    medium = session.get(Medium, job.audio["sha256"], populate_existing=True)
    return job_view(job, preparation_view(medium) if medium else None)


def _speeds(session: Session, job: Job) -> Speeds | None:
    """Return what was measured of the engines that are at work on a job; None while none is."""
    engines = {run.engine for run in job.runs if run.state == RunState.RUNNING.value}
    return read_measured(session, engines) if engines else None


def read_report(session: Session, job_id: UUID) -> Report | None:
    """Return a job's report, or None where it has none."""
    body = session.scalar(select(StoredReport.body).where(StoredReport.job_id == job_id))
    return Report.model_validate(body) if body is not None else None


def read_events(session: Session, job_id: UUID, after: int = 0) -> tuple[JobEvent, ...]:
    """Return a job's events with an id above `after`, the oldest first.

    Raises:
        JobNotFoundError: there is no such job.
    """
    if session.get(Job, job_id) is None:
        message = f"there is no job {job_id}"
        raise JobNotFoundError(message)
    rows = session.scalars(
        select(StoredEvent)
        .where(StoredEvent.job_id == job_id, StoredEvent.id > after)
        .order_by(StoredEvent.id)
    )
    return tuple(event_view(row) for row in rows)


def list_jobs(
    session: Session, states: Sequence[JobState] = (), limit: int = 20
) -> tuple[JobView, ...]:
    """Return the newest jobs, those in `states` alone when any are given.

    Raises:
        BadRequestError: `limit` is not between 1 and 1,000.
    """
    if not 1 <= limit <= MAX_LISTED:
        message = f"a listing has 1 to {MAX_LISTED} jobs, not {limit}"
        raise BadRequestError(message)
    query = (
        select(Job)
        .options(selectinload(Job.runs))
        .order_by(Job.created_at.desc(), Job.id)
        .limit(limit)
    )
    if states:
        query = query.where(Job.state.in_([state.value for state in states]))
    return tuple(job_view(job) for job in session.scalars(query))


def count_jobs(session: Session) -> dict[JobState, int]:
    """Return how many jobs are in each state."""
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {JobState(state): count for state, count in rows}


def open_engines(session: Session) -> tuple[str, ...]:
    """Return the engines that unfinished runs wait for."""
    states = [RunState.QUEUED.value, RunState.RUNNING.value]
    return tuple(
        session.scalars(
            select(EngineRun.engine)
            .where(EngineRun.state.in_(states))
            .distinct()
            .order_by(EngineRun.engine)
        )
    )


def request_cancel(session: Session, job_id: UUID) -> JobView:
    """Ask for a job to be stopped: at once when it waits, at the next segment when it runs.

    A job that has ended stays as it is.

    Raises:
        JobNotFoundError: there is none of that id.
    """
    job = session.get(Job, job_id, with_for_update={"key_share": True})
    if job is None:
        message = f"there is no job {job_id}"
        raise JobNotFoundError(message)
    if JobState(job.state).terminal or job.cancel_requested_at is not None:
        return read_job(session, job_id)
    job.cancel_requested_at = func.now()
    job.one_chord = False  # runs that wait are never published
    session.execute(
        update(EngineRun)
        .where(EngineRun.job_id == job_id, EngineRun.state == RunState.QUEUED.value)
        .values(
            state=RunState.CANCELLED.value,
            finished_at=func.now(),
            due_at=None,
            # Out of the line; a place in the window is taken back by the next admission.
            place=case((EngineRun.place == Place.WINDOW.value, EngineRun.place)),
        )
    )
    nothing_runs = not session.scalar(
        select(
            exists().where(EngineRun.job_id == job_id, EngineRun.state == RunState.RUNNING.value)
        )
    )
    if nothing_runs:
        job.state = JobState.CANCELLED.value
        job.finished_at = func.now()
    record_event(session, job_id, "job_cancelled" if nothing_runs else "cancel_requested")
    notify(session, CHANNEL_WORK, job_id)
    session.flush()
    return read_job(session, job_id)
