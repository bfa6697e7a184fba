"""Forgets a recording: what was heard in it, by whom it was asked, the recording itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text, update

from coordinator.erasing.media import drop_media, files_of, remove_files, whole
from coordinator.erasing.traces import erase_traces
from coordinator.errors import JobNotFoundError
from coordinator.ledger import find_job, request_cancel
from schemas.database import notify, record_event
from schemas.jobs import JobState
from schemas.media_store import open_store
from schemas.media_table import Medium
from schemas.names import CHANNEL_FREED
from schemas.retention import Forgotten, Trace
from schemas.runs import RunState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from schemas.database import Database
    from schemas.settings import Settings

#: What stands where something was.
BLANK = "forgotten"
SHA256 = re.compile(r"[0-9a-fA-F]{64}")

#: Jobs that have heard a recording; nobody changes them meanwhile.
JOBS = text("""
SELECT id, finished_at FROM jobs WHERE audio ->> 'sha256' = ANY(:recordings) ORDER BY id
FOR NO KEY UPDATE
""")

#: What the job was asked with may hold hotwords, prompts, names.
BLANK_JOBS = text("""
UPDATE jobs SET audio = jsonb_set(audio, '{name}', to_jsonb(CAST(:blank AS text))),
  request = jsonb_set(request, '{options}', '{}'), fingerprint = :blank, idempotency_key = NULL,
  failure = CASE WHEN jsonb_typeof(failure) = 'object'
            THEN jsonb_set(failure, '{message}', to_jsonb(CAST(:blank AS text))) END
WHERE id = ANY(:jobs)
""")

BLANK_RUNS = text("""
UPDATE engine_runs
SET failure = jsonb_set(failure, '{message}', to_jsonb(CAST(:blank AS text)))
WHERE job_id = ANY(:jobs) AND jsonb_typeof(failure) = 'object'
""")

#: The mark stays, a hash: the same command does not submit the recording again.
BLANK_ITEMS = text("""
UPDATE batch_items SET source = :blank, reference = NULL, labels = '{}' WHERE job_id = ANY(:jobs)
""")


def find_recording(session: Session, reference: str) -> str:
    """Return the recording that a SHA-256, or a job, means.

    Raises:
        JobNotFoundError: there is no such job.
    """
    if SHA256.fullmatch(reference.strip()):
        sha256 = reference.strip().lower()
        split_of = Job.audio.op("->>")(text("'split_of'"))
        heard = select(split_of).where(Job.audio.op("->>")(text("'sha256'")) == sha256)
        return session.scalars(heard.limit(1)).first() or sha256
    job_id = find_job(session, reference)
    job = session.get(Job, job_id)
    if job is None:
        message = f"there is no job {job_id}"
        raise JobNotFoundError(message)
    return str(job.audio.get("split_of") or job.audio["sha256"])


def jobs_of(session: Session, sha256: str) -> int:
    """Return how many jobs have heard a recording."""
    heard = Job.audio.op("->>")(text("'sha256'")).in_(whole([sha256]))
    return session.scalar(select(func.count()).select_from(Job).where(heard)) or 0


def forget_recording(database: Database, settings: Settings, sha256: str) -> Forgotten:
    """Erase a recording with all that was heard in it, by every job; leave a tombstone.

    With it goes what was heard of its channels apart.

    Jobs that have not ended are cancelled. Each job stays as a row with its times, its engines,
    how it ended. What a worker heard of it just now is not stored any more.

    Raises:
        JobNotFoundError: nothing is known of the recording.
        ErasingError: a file cannot be removed; the ledger has forgotten it, and the next purge
            tries again.
        LedgerError: the database does not answer; nothing was changed.
    """
    recordings, store = whole([sha256]), open_store(settings)
    with database.transaction() as session:
        rows = session.execute(JOBS, {"recordings": sorted(recordings)}).all()
        there = any(files_of(recordings, store))
        if not rows and not there and session.get(Medium, sha256) is None:
            message = f"nothing is known of the recording {sha256}"
            raise JobNotFoundError(message)
        jobs = [row.id for row in rows]
        _end(session, [row.id for row in rows if row.finished_at is None])
        erase_traces(session, jobs, list(Trace))
        for statement in (BLANK_JOBS, BLANK_RUNS, BLANK_ITEMS):
            session.execute(statement, {"jobs": jobs, "blank": BLANK})
        drop_media(session, recordings, BLANK, list(Trace))
        for job_id in jobs:
            record_event(session, job_id, "job_forgotten")
    files = remove_files(recordings, store)
    return Forgotten(sha256=sha256, jobs=len(jobs), files=files.count, bytes=files.bytes)


def _end(session: Session, jobs: Sequence[UUID]) -> None:
    """Cancel jobs at once: what a worker still does for them is not written down."""
    for job_id in jobs:
        request_cancel(session, job_id)
    session.flush()
    session.execute(
        update(EngineRun)
        .where(EngineRun.job_id.in_(jobs), EngineRun.state == RunState.RUNNING.value)
        .values(
            state=RunState.CANCELLED.value,
            owner=None,
            lease_expires_at=None,
            due_at=None,
            finished_at=func.now(),
        )
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Job)
        .where(Job.id.in_(jobs), Job.finished_at.is_(None))
        .values(state=JobState.CANCELLED.value, finished_at=func.now(), preparing=False)
        .execution_options(synchronize_session=False)
    )
    for job_id in jobs:
        notify(session, CHANNEL_FREED, job_id)
