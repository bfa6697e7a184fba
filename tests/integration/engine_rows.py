"""Puts jobs and runs into the ledger as the coordinator would, and reads what became of them."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import func, select, text, update

from schemas.audio import AudioRef
from schemas.database import Database
from schemas.jobs import JobRequest, OptionValue
from schemas.runs import RunMessage
from schemas.tables import EngineRun, Job, StoredEvent
from schemas.transcript import Transcript

#: Seconds that a test waits for what happens in milliseconds, and between two looks.
PATIENCE_SECONDS, LOOK_SECONDS = 30.0, 0.01


def until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail when it does not come true."""
    deadline, tick = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        tick.wait(LOOK_SECONDS)


def stage(content: bytes, media_root: Path) -> AudioRef:
    """Put a recording into the media store."""
    audio = AudioRef(sha256=hashlib.sha256(content).hexdigest(), size=len(content), name="talk.wav")
    path = media_root / audio.key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return audio


def add_run(
    database: Database,
    audio: AudioRef,
    engine: str = "fake",
    *,
    language: str | None = None,
    job_state: str = "running",
    **options: OptionValue,
) -> RunMessage:
    """Add an admitted job with one queued run; return its message."""
    request = JobRequest(engines=(engine,), language=language, options={engine: options})
    message = RunMessage(run_id=uuid4(), job_id=uuid4())
    with database.transaction() as session:
        session.add(
            Job(
                id=message.job_id,
                state=job_state,
                request=request.model_dump(mode="json"),
                fingerprint="f",
                audio=audio.model_dump(mode="json"),
            )
        )
        session.flush()
        run = EngineRun(
            id=message.run_id, job_id=message.job_id, engine=engine, position=0, state="queued"
        )
        session.add(run)
    return message


def row(database: Database, run_id: UUID) -> EngineRun:
    """Return the run as it stands."""
    with database.transaction() as session:
        return session.execute(select(EngineRun).where(EngineRun.id == run_id)).scalar_one()


def transcript(database: Database, run_id: UUID) -> Transcript:
    """Return what the run's engine heard."""
    with database.transaction() as session:
        packed = session.scalar(select(EngineRun.transcript).where(EngineRun.id == run_id))
    assert packed is not None
    return Transcript.model_validate(json.loads(zlib.decompress(packed)))


def events(database: Database, job_id: UUID) -> list[str]:
    """Return the kinds of the job's events, the oldest first."""
    with database.transaction() as session:
        query = select(StoredEvent.kind).where(StoredEvent.job_id == job_id)
        return list(session.scalars(query.order_by(StoredEvent.id)))


def data_of_events(database: Database, job_id: UUID) -> list[tuple[str, dict[str, object]]]:
    """Return the job's events with what each says, the oldest first."""
    with database.transaction() as session:
        query = select(StoredEvent.kind, StoredEvent.data).where(StoredEvent.job_id == job_id)
        return [(kind, data) for kind, data in session.execute(query.order_by(StoredEvent.id))]


def change_run(database: Database, run_id: UUID, **values: object) -> None:
    """Write on a run as another process would."""
    with database.transaction() as session:
        session.execute(update(EngineRun).where(EngineRun.id == run_id).values(**values))


def change_job(database: Database, job_id: UUID, **values: object) -> None:
    """Write on a job as another process would."""
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def expire_lease(database: Database, run_id: UUID) -> None:
    """Let the run's lease have ended a second ago, by the database's clock."""
    with database.transaction() as session:
        a_second = func.make_interval(0, 0, 0, 0, 0, 0, 1.0)
        session.execute(
            update(EngineRun)
            .where(EngineRun.id == run_id)
            .values(lease_expires_at=func.now() - a_second)
        )


def waiting_for_locks(database: Database) -> int:
    """Return how many sessions of the ledger wait for a lock."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.transaction() as session:
        return int(session.scalar(query) or 0)
