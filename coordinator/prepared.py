"""Lets the jobs go on that waited for a recording to be prepared."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import bindparam, func, select, text, update

from coordinator.chunks import plan
from coordinator.placing import (
    INSERT_RUNS,
    PREPARING,
    chunk_columns,
    first_place,
    must_start,
)
from coordinator.speeds import expected_costs
from schemas.audio import AudioRef, Prepared
from schemas.database import record_event, record_work
from schemas.jobs import JobState
from schemas.media import MediaState
from schemas.runs import Failure, RunState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from schemas.audio import ChunkPlan
    from schemas.settings import Settings

#: Jobs that one transaction looks after; the next takes what is left.
MAX_PLACED = 200

#: Jobs that wait for a recording whose preparation has ended, in the order of their submission.
#: Jobs before runs, as those lock who cancel or pause a job.
ENDED = text("""
SELECT job.id, job.owner, job.priority, job.deadline, job.paused_at, job.blockers, job.created_at,
       job.audio, medium.state, medium.prepared, medium.failure
FROM jobs AS job JOIN media AS medium ON medium.sha256 = job.audio ->> 'sha256'
WHERE job.preparing AND job.finished_at IS NULL AND medium.state IN ('ready', 'failed')
  AND (CAST(:among AS text[]) IS NULL OR job.audio ->> 'sha256' = ANY(CAST(:among AS text[])))
ORDER BY job.created_at, job.id LIMIT :most
FOR NO KEY UPDATE OF job SKIP LOCKED
""")


def place_prepared(
    session: Session, settings: Settings, among: Collection[str] | None = None
) -> int:
    """Put the runs of jobs in line whose recordings are ready; return how many jobs were looked at.

    A job whose recording cannot be prepared fails, with the reason.

    Args:
        session: an open transaction.
        settings: how recordings are cut; the targets of the priorities.
        among: look at these recordings alone, by SHA-256; None looks at all.
    """
    asked = {"among": None if among is None else list(among), "most": MAX_PLACED}
    jobs = session.execute(ENDED, asked).all()
    if not jobs:
        return 0
    session.execute(
        update(Job)
        .where(Job.id.in_([job.id for job in jobs]))
        .values(preparing=False)
        .execution_options(synchronize_session=False)
    )
    for job in jobs:
        if job.state == MediaState.FAILED.value:
            _fail(session, job.id, Failure.model_validate(job.failure))
    ready = [job for job in jobs if job.state == MediaState.READY.value]
    if ready:
        _place(session, settings, ready)
    return len(jobs)


def _fail(session: Session, job_id: UUID, failure: Failure) -> None:
    """End a job before any engine was asked."""
    ended = {"finished_at": func.now(), "failure": failure.model_dump(mode="json")}
    session.execute(
        update(EngineRun)
        .where(EngineRun.job_id == job_id, EngineRun.state == RunState.QUEUED.value)
        .values(state=RunState.FAILED.value, place=None, due_at=None, **ended)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(state=JobState.FAILED.value, **ended)
        .execution_options(synchronize_session=False)
    )
    told = {"failure": failure.kind.value, "message": failure.message}
    record_work(session, job_id, "job_failed", **told)


def _place(session: Session, settings: Settings, jobs: Sequence[Row[Any]]) -> None:
    by_id = {job.id: job for job in jobs}
    found = {job.id: Prepared.model_validate(job.prepared) for job in jobs}
    plans = {job_id: _plan(prepared, settings) for job_id, prepared in found.items()}
    audios = {job.id: AudioRef.model_validate(job.audio) for job in jobs}
    lengths = {audios[job_id].sha256: found[job_id].info.seconds for job_id in by_id}
    runs = session.execute(
        select(EngineRun.id, EngineRun.job_id, EngineRun.engine, EngineRun.position)
        .where(
            EngineRun.job_id.in_(by_id),
            EngineRun.place == PREPARING,
            EngineRun.state == RunState.QUEUED.value,
        )
        .order_by(EngineRun.job_id, EngineRun.position)
        .with_for_update()
    ).all()
    whose = [([run.engine], audios[run.job_id]) for run in runs]
    costs = expected_costs(session, settings.scheduling, whose, lengths)
    first, more = [], []
    for run, seconds in zip(runs, costs, strict=True):
        job, asked = by_id[run.job_id], (run.engine, run.position)
        chunks = chunk_columns(plans[run.job_id], seconds[run.engine])
        rows = [_row(settings, job, asked, *chunk) for chunk in chunks]
        first.append(rows[0] | {"run": run.id})
        more += rows[1:]
    if first:
        session.connection().execute(_FIRST, first)
    if more:
        session.execute(INSERT_RUNS.returning(EngineRun.id), more)
    for job_id, prepared in found.items():
        record_event(session, job_id, "job_prepared", **_told(prepared, plans[job_id]))


def _plan(prepared: Prepared, settings: Settings) -> ChunkPlan:
    return plan(prepared.info.seconds, prepared.speech.spans, settings.media)


def _row(
    settings: Settings,
    job: Row[Any],
    asked: tuple[str, int],
    cost: float,
    columns: dict[str, float | None],
) -> dict[str, Any]:
    """Return a run's row; its age is that of its job, however long the preparation took."""
    target = settings.scheduling.targets()[job.priority] - cost
    start = must_start(job.deadline, cost)
    return {
        "id": uuid4(),
        "job_id": job.id,
        "engine": asked[0],
        "position": asked[1],
        "state": RunState.QUEUED.value,
        "place": first_place(job._asdict()),
        "job_owner": job.owner,
        "priority": job.priority,
        "submitted_at": job.created_at,
        "must_start": start if start is not None else job.created_at + timedelta(seconds=target),
        "target": target,
        "cost": cost,
        **columns,
    }


def _told(prepared: Prepared, cut: ChunkPlan) -> dict[str, object]:
    return {
        "seconds": round(prepared.info.seconds, 3),
        "speech_seconds": round(prepared.speech.seconds, 1),
        "loudness": prepared.loudness,
        "chunks": len(cut.chunks),
        "notes": list(prepared.notes),
    }


#: Gives the run that was there from the beginning its first chunk, and its place.
_FIRST = (
    update(EngineRun)
    .where(EngineRun.id == bindparam("run"))
    .values(
        place=bindparam("place"),
        cost=bindparam("cost"),
        latest_start=bindparam("must_start"),
        chunk_start=bindparam("chunk_start"),
        chunk_seconds=bindparam("chunk_seconds"),
    )
)
