"""Turns ledger rows into the contracts that clients see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.progress import engines_progress
from schemas.audio import AudioRef
from schemas.jobs import JobEvent, JobRequest, JobState, JobView
from schemas.media import MediaState, PreparationView
from schemas.media_table import Medium
from schemas.runs import Failure, RunState, RunView
from schemas.scheduling import DeadlinePolicy, Priority, ScheduleView
from schemas.tables import EngineRun, Job, StoredEvent

if TYPE_CHECKING:
    from coordinator.speeds import Speeds


def job_view(
    job: Job, preparation: PreparationView | None = None, speeds: Speeds | None = None
) -> JobView:
    """Return a job with its runs.

    Args:
        job: its row.
        preparation: that of its recording, while it waits for it.
        speeds: what was measured of its engines.
    """
    return JobView(
        id=job.id,
        state=JobState(job.state),
        degraded=job.degraded,
        audio=AudioRef.model_validate(job.audio),
        request=JobRequest.model_validate(job.request),
        created_at=job.created_at,
        admitted_at=job.admitted_at,
        finished_at=job.finished_at,
        cancel_requested_at=job.cancel_requested_at,
        paused_at=job.paused_at,
        failure=Failure.model_validate(job.failure) if job.failure else None,
        runs=tuple(run_view(run) for run in job.runs),
        engines=engines_progress(job.runs, speeds),
        preparation=preparation,
        schedule=ScheduleView(
            priority=Priority.of_rank(job.priority),
            owner=job.owner,
            deadline=job.deadline,
            deadline_policy=DeadlinePolicy(job.deadline_policy),
            at_risk_at=job.at_risk_at,
            blockers=job.blockers,
        ),
    )


def preparation_view(medium: Medium) -> PreparationView:
    """Return how far a recording's preparation has come."""
    return PreparationView(
        state=MediaState(medium.state),
        attempt=medium.attempt,
        done_seconds=medium.done_seconds,
        seconds=medium.seconds,
    )


def run_view(run: EngineRun) -> RunView:
    """Return one run."""
    return RunView(
        id=run.id,
        engine=run.engine,
        chunk=run.chunk,
        chunk_start=run.chunk_start,
        state=RunState(run.state),
        attempt=run.attempt,
        audio_seconds=run.audio_seconds,
        progress_seconds=run.progress_seconds,
        processing_seconds=run.processing_seconds,
        started_at=run.started_at,
        finished_at=run.finished_at,
        failure=Failure.model_validate(run.failure) if run.failure else None,
    )


def event_view(event: StoredEvent) -> JobEvent:
    """Return one event."""
    return JobEvent(id=event.id, job_id=event.job_id, at=event.at, kind=event.kind, data=event.data)
