"""Puts jobs that have ended into the ledger, with what their engines heard."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select, update

from aggregation.finish import Ending, finish
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.database import record_event
from schemas.media_table import Medium
from schemas.scheduling import Schedule
from schemas.tables import EngineRun, Job
from schemas.transcript import Segment, Transcript

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from schemas.database import Database
    from schemas.settings import Settings

SEGMENT_SECONDS = 2.0


def recording(settings: Settings, content: bytes, name: str = "talk.wav") -> AudioRef:
    """Put a recording into the media store, with its prepared file."""
    audio = AudioRef(sha256=hashlib.sha256(content).hexdigest(), size=len(content), name=name)
    path = settings.media_root / audio.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (settings.media_root / audio.canonical_key).write_bytes(b"prepared " + content)
    return audio


def heard_job(  # noqa: PLR0913  # each is a keyword with a default
    database: Database,
    audio: AudioRef,
    *segments: str,
    engines: Sequence[str] = ("fake",),
    owner: str = "default",
    age: timedelta | None = None,
    batch_id: UUID | None = None,
    options: dict[str, dict[str, object]] | None = None,
) -> UUID:
    """Add a job whose engines all heard these segments, compared as the product does it."""
    with database.transaction() as session:
        session.merge(Medium(sha256=audio.sha256, audio=audio.model_dump(), state="ready"))
        job = accept(
            session,
            job_request(engines, options=options),
            audio,
            schedule=Schedule(owner=owner),
            batch_id=batch_id,
        ).job_id
        session.execute(update(Job).where(Job.id == job).values(state="running"))
        runs = session.scalars(select(EngineRun).where(EngineRun.job_id == job)).all()
        for run in runs:
            told = {"run": str(run.id), "engine": run.engine, "attempt": 1, "worker": "here"}
            record_event(session, job, "run_started", **told)
            run.attempt, run.state, run.place = 1, "succeeded", None
            run.started_at = run.finished_at = func.now()
            run.question = run.heard_by = run.digest = "q" * 64
            run.audio_seconds = len(segments) * SEGMENT_SECONDS
            run.transcript = packed(run.engine, segments)
            record_event(session, job, "run_succeeded", **told, seconds=1.0)
    assert finish(database, job) is Ending.COMPLETED
    if age is not None:
        grow_old(database, job, age)
    return job


def grow_old(database: Database, job: UUID, age: timedelta) -> None:
    """Let a job have been submitted, and have ended, so long ago."""
    past = func.now() - age
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job).values(created_at=past, finished_at=past))
        session.execute(update(EngineRun).where(EngineRun.job_id == job).values(submitted_at=past))


def packed(engine: str, segments: Sequence[str]) -> bytes:
    """Return a transcript as the ledger keeps it."""
    found = Transcript(
        engine=engine,
        engine_version="1",
        model="none",
        language="en",
        audio_seconds=len(segments) * SEGMENT_SECONDS,
        segments=tuple(
            Segment(text=said, start=n * SEGMENT_SECONDS, end=(n + 1) * SEGMENT_SECONDS)
            for n, said in enumerate(segments)
        ),
    )
    return zlib.compress(found.model_dump_json().encode())
