"""Reads a job's runs from the ledger, writes its report and its end."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    bindparam,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.orm import Session

from aggregation.apart import Apart
from aggregation.errors import CorruptTranscriptError
from schemas.database import telling
from schemas.dependency_tables import BatchDependency, Dependency
from schemas.jobs import JobState
from schemas.media_table import Medium
from schemas.names import CHANNEL_WORK
from schemas.report import Report
from schemas.runs import Failure
from schemas.tables import EngineRun, Job, StoredEvent, StoredReport
from schemas.transcript import Transcript

#: The most bytes that one stored transcript may unpack to: a day of speech needs 30 MB.
MAX_TRANSCRIPT_BYTES = 512 << 20
#: What the coordinator adds to a job's story when nobody compared its runs in time.
RESENT_EVENT = "aggregation_republished"
#: The states of jobs to which nothing more will happen.
ENDED = tuple(state.value for state in JobState if state.terminal)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What the ledger knows of an engine's work on one chunk."""

    engine: str
    chunk: int
    state: str
    #: `Failure` as JSON.
    failure: dict[str, Any] | None
    processing_seconds: float | None
    #: `Transcript` as zlib-compressed JSON.
    transcript: bytes | None
    #: Where its part of the recording begins, how long that is, in seconds.
    chunk_start: float = 0.0
    chunk_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class StoredJob:
    """What the ledger knows of a job whose runs are to be compared."""

    state: str
    cancelled: bool
    #: `JobRequest` as JSON.
    request: dict[str, Any]
    #: Whether the coordinator had to ask for its comparison again.
    resent: bool
    #: In the order of the request, chunk by chunk.
    runs: tuple[StoredRun, ...]
    #: How the channels lie that were heard one after another; None: they were mixed.
    apart: Apart | None = None


#: Columns rather than rows as objects: half of the time that a short job's comparison takes.
_RUN = (
    EngineRun.engine,
    EngineRun.chunk,
    EngineRun.state,
    EngineRun.failure,
    EngineRun.processing_seconds,
    EngineRun.transcript,
    EngineRun.chunk_start,
    EngineRun.chunk_seconds,
)
#: `MediaInfo` as JSON of a recording whose channels are heard apart; null of any other.
APART = case(
    (
        Job.audio["split_of"].astext.is_not(None),
        select(Medium.prepared["info"])
        .where(Medium.sha256 == Job.audio["sha256"].astext)
        .scalar_subquery(),
    )
).label("apart")
_JOB = (
    select(
        Job.state.label("job_state"),
        Job.cancel_requested_at,
        Job.request,
        exists()
        .where(StoredEvent.job_id == Job.id, StoredEvent.kind == RESENT_EVENT)
        .label("resent"),
        APART,
        *_RUN,
    )
    .outerjoin(EngineRun, EngineRun.job_id == Job.id)
    .where(Job.id == bindparam("job"))
    .order_by(EngineRun.position, EngineRun.chunk)
)


def load_job(connection: Connection, job_id: UUID) -> StoredJob | None:
    """Return the job with its runs and their transcripts, in one question; None without one."""
    rows = connection.execute(_JOB, {"job": job_id}).all()
    if not rows:
        return None
    job = rows[0]
    runs = tuple(_run(row) for row in rows if row.engine is not None)
    cancelled = job.cancel_requested_at is not None
    return StoredJob(job.job_state, cancelled, job.request, job.resent, runs, apart_of(job.apart))


def apart_of(info: dict[str, Any] | None) -> Apart | None:
    """Return how the channels lie in a recording that was prepared with them apart."""
    if not info:
        return None
    channels = int(info["channels"])
    return Apart(channels, float(info["seconds"]) / channels)


def load_runs(session: Session, job_id: UUID) -> tuple[StoredRun, ...]:
    """Return the job's runs with their transcripts, in the order of the request."""
    rows = session.execute(
        select(*_RUN)
        .where(EngineRun.job_id == job_id)
        .order_by(EngineRun.position, EngineRun.chunk)
    )
    return tuple(map(_run, rows))


def _run(row: Row[Any]) -> StoredRun:
    return StoredRun(
        row.engine,
        row.chunk,
        row.state,
        row.failure,
        row.processing_seconds,
        row.transcript,
        row.chunk_start,
        row.chunk_seconds,
    )


def unpack(run: StoredRun) -> Transcript:
    """Return the run's transcript.

    Raises:
        CorruptTranscriptError: it is missing, damaged or far too large.
    """
    where = f"the transcript of {run.engine}, chunk {run.chunk},"
    if run.transcript is None:
        message = f"{where} is missing"
        raise CorruptTranscriptError(message)
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(run.transcript, MAX_TRANSCRIPT_BYTES)
        if unpacker.unconsumed_tail:
            message = f"{where} unpacks to more than {MAX_TRANSCRIPT_BYTES >> 20} MB"
            raise CorruptTranscriptError(message)
        return Transcript.model_validate_json(raw)
    except (zlib.error, ValidationError) as error:
        message = f"{where} cannot be read: {str(error).splitlines()[0]}"
        raise CorruptTranscriptError(message) from error


def end_job(  # noqa: PLR0913  # each is a keyword with a default
    connection: Connection,
    job_id: UUID,
    state: JobState,
    *,
    report: Report | None = None,
    failure: Failure | None = None,
    degraded: bool = False,
    figures: Mapping[str, object],
) -> bool:
    """End the job unless it has ended already; the row's lock makes that exactly once.

    It is one statement, which needs no transaction around it.

    Returns:
        Whether this call ended it.
    """
    values = {
        "job": job_id,
        "degraded_": degraded,
        "why": failure.model_dump(mode="json") if failure else None,
        "version_": report.version if report else None,
        "report": report.model_dump(mode="json") if report else None,
        "data": dict(figures),
    }
    ended = connection.execute(_ending(state, with_report=report is not None), values)
    return ended.one_or_none() is not None


@cache
def _ending(state: JobState, *, with_report: bool) -> Select[Any]:
    """Return the one statement that ends a job that has not ended, with its report and event."""
    change = (
        update(Job)
        .where(Job.id == bindparam("job"), *(Job.state != ended for ended in ENDED))
        .values(
            state=state.value,
            degraded=bindparam("degraded_"),
            failure=bindparam("why"),
            finished_at=func.now(),
        )
        .returning(Job.id.label("job_id"))
    )
    also = (_report,) if with_report else ()
    return telling(change, f"job_{state.value}", also=also, wakes=_wake_for_dependants)


def _wake_for_dependants(job_id: ColumnElement[UUID]) -> ColumnElement[str | None]:
    """Wake the coordinators when other jobs come after this one, or after its batch."""
    waits = exists().where(Dependency.after_id == job_id)
    waits_for_all = exists().where(Job.id == job_id, BatchDependency.batch_id == Job.batch_id)
    return case(
        (or_(waits, waits_for_all), cast(func.pg_notify(CHANNEL_WORK, cast(job_id, Text)), Text))
    )


def _report(ended: CTE) -> Insert:
    version = bindparam("version_", type_=Integer)
    body = bindparam("report", type_=JSONB)
    return (
        insert(StoredReport)
        .from_select(["job_id", "version", "body"], select(ended.c.job_id, version, body))
        .on_conflict_do_nothing(index_elements=["job_id"])
    )
