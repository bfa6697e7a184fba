"""The ledger's tables: shape only. Each has one package that writes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from schemas.found_again import KNOWN, Replaceable, Resumable, Reusable
from schemas.measured import HeardOn, Offering
from schemas.revision import SCHEMA_REVISION

__all__ = [
    "SCHEMA_REVISION",
    "Base",
    "Batch",
    "EngineLine",
    "EngineRun",
    "Job",
    "Owner",
    "Pause",
    "Pool",
    "Share",
    "StoredEvent",
    "StoredReport",
]


class Base(DeclarativeBase):
    """Names constraints by rule, so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        str: Text,
        bytes: LargeBinary,
    }


class Batch(Resumable, Base):
    """Jobs submitted together. Written by the coordinator."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    label: Mapped[str | None]
    #: Since when nothing more of it shall be started.
    paused_at: Mapped[datetime | None]
    #: Since when it takes no more jobs, because others come after it; whose jobs it has.
    sealed_at: Mapped[datetime | None]
    sealed_for: Mapped[str | None]


class Job(Replaceable, Base):
    """One recording to transcribe. Written by the coordinator; ended by the aggregation."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "ix_jobs_deadline",
            "deadline",
            postgresql_where=text("deadline IS NOT NULL AND finished_at IS NULL"),
        ),
        Index("ix_jobs_open", "fingerprint", postgresql_where=text("finished_at IS NULL")),
        Index("ix_jobs_created_at", "created_at"),
        Index(
            "ix_jobs_batch_open",
            "batch_id",
            postgresql_where=text("batch_id IS NOT NULL AND finished_at IS NULL"),
        ),
        Index(
            "ix_jobs_preparing",
            text("(audio ->> 'sha256')"),
            postgresql_where=text("preparing AND finished_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id"), index=True)
    state: Mapped[str]
    degraded: Mapped[bool] = mapped_column(server_default=text("false"))
    #: `JobRequest` as JSON.
    request: Mapped[dict[str, Any]]
    #: SHA-256 of the request and the recording: equal for equal questions.
    fingerprint: Mapped[str]
    #: The caller's own key: the same key is the same job.
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    #: `AudioRef` as JSON.
    audio: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    admitted_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    #: Since when nothing more of it shall be started; what runs goes on.
    paused_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: `Failure` as JSON.
    failure: Mapped[dict[str, Any] | None]
    #: Whose job it is: whose share and quota it counts against.
    owner: Mapped[str] = mapped_column(server_default=text("'default'"))
    #: `Priority.rank`: the smaller goes first.
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("2"))
    deadline: Mapped[datetime | None]
    #: `DeadlinePolicy`: what is done when the deadline cannot be kept.
    deadline_policy: Mapped[str] = mapped_column(server_default=text("'best_effort'"))
    #: Since when its deadline is not expected to be kept.
    at_risk_at: Mapped[datetime | None]
    #: How many of the jobs, with how many of the batches, that it comes after have not ended.
    blockers: Mapped[int] = mapped_column(server_default=text("0"))
    #: `FailedDependency`: what is done when one of them fails.
    on_failed_dependency: Mapped[str] = mapped_column(server_default=text("'skip'"))
    #: Whether each of its runs counts once in one chord, which ends when they all have. Not once a
    #: run was published again, or ended without: the coordinator then sees to the job's end.
    one_chord: Mapped[bool] = mapped_column(server_default=text("false"))
    #: Whether its recording has yet to be prepared: its runs are in no line meanwhile.
    preparing: Mapped[bool] = mapped_column(server_default=text("false"))
    #: The language that was heard first in a part of it, where the request names none.
    heard_language: Mapped[str | None]

    runs: Mapped[list[EngineRun]] = relationship(
        back_populates="job",
        order_by="(EngineRun.position, EngineRun.chunk)",
        passive_deletes=True,
    )


class EngineRun(Reusable, HeardOn, Base):
    """One engine's work on one chunk. Inserted by the coordinator, then written by its worker."""

    __tablename__ = "engine_runs"
    __table_args__ = (
        UniqueConstraint("job_id", "engine", "chunk"),
        Index("ix_engine_runs_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index(
            "ix_engine_runs_waiting",
            "engine",
            "published_at",
            postgresql_where=text("state = 'queued' AND published_at IS NOT NULL"),
        ),
        Index(
            "ix_engine_runs_leases",
            "lease_expires_at",
            postgresql_where=text("state = 'running'"),
        ),
        # The three that admission reads; each holds all that it wants to know of a run.
        Index(
            "ix_engine_runs_line",
            *("engine", "priority", "job_owner", "latest_start", "id"),
            postgresql_include=["job_id", "cost", "submitted_at"],
            postgresql_where=text("place = 'waiting'"),
        ),
        Index(
            "ix_engine_runs_age",
            *("engine", "priority", "job_owner", "submitted_at", "id"),
            postgresql_include=["job_id", "cost", "latest_start"],
            postgresql_where=text("place = 'waiting'"),
        ),
        Index(
            "ix_engine_runs_window",
            *("engine", "job_owner"),
            postgresql_include=["due_at", "state"],
            postgresql_where=text("place = 'window'"),
        ),
        Index("ix_engine_runs_known", "question", "heard_by", postgresql_where=KNOWN),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    engine: Mapped[str]
    #: Which part of the recording, from 0.
    chunk: Mapped[int] = mapped_column(server_default=text("0"))
    #: Where that part begins, in seconds; its length, None: all of the recording.
    chunk_start: Mapped[float] = mapped_column(server_default=text("0"))
    chunk_seconds: Mapped[float | None]
    #: The place of the run in its job, in the order that the request named the engines.
    position: Mapped[int]
    state: Mapped[str]
    #: Counts claims; a save that carries another number than the row is refused.
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    #: Attempts that were cut off from outside, by a shutdown for instance: they do not count
    #: against the run.
    forgiven: Mapped[int] = mapped_column(server_default=text("0"))
    #: The worker that holds the lease: node name and process id.
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    #: From when on the broker shall be given this run; None while its job waits for admission,
    #: and once the broker has taken it.
    due_at: Mapped[datetime | None]
    #: When the broker last took it.
    published_at: Mapped[datetime | None]
    audio_seconds: Mapped[float | None]
    progress_seconds: Mapped[float] = mapped_column(server_default=text("0"))
    processing_seconds: Mapped[float | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: `Failure` as JSON.
    failure: Mapped[dict[str, Any] | None]
    #: `Place`: where it stands before the broker; None once it needs no place any more.
    place: Mapped[str | None]
    #: When it was last given a place in its engine's window.
    admitted_at: Mapped[datetime | None]
    #: Of its job, repeated here so that one index has all that decides the order.
    job_owner: Mapped[str] = mapped_column(server_default=text("'default'"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("2"))
    submitted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: The latest start that still ends by the deadline, or else by the priority's target.
    latest_start: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Seconds that the engine is expected to need.
    cost: Mapped[float] = mapped_column(server_default=text("60"))
    #: `Transcript` as zlib-compressed JSON.
    transcript: Mapped[bytes | None] = mapped_column(deferred=True)

    job: Mapped[Job] = relationship(back_populates="runs")


class StoredReport(Base):
    """A job's report: at most one. Written by the aggregation."""

    __tablename__ = "reports"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    version: Mapped[int]
    #: `Report` as JSON.
    body: Mapped[dict[str, Any]]


class StoredEvent(Base):
    """One thing that happened to a job. Every package appends, none changes."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_job", "job_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    kind: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class Owner(Base):
    """What somebody may use; who has no row has the defaults. Written by the coordinator."""

    __tablename__ = "owners"

    name: Mapped[str] = mapped_column(primary_key=True)
    weight: Mapped[float] = mapped_column(server_default=text("1"))
    #: The most runs that are in one engine's window at a time.
    max_running: Mapped[int | None]
    #: The highest priority, as `Priority.rank`, that the owner's jobs may have.
    top_priority: Mapped[int | None] = mapped_column(SmallInteger)


class Pause(Base):
    """An owner or an engine, or everything, of which nothing is admitted."""

    __tablename__ = "pauses"

    #: `owner`, `engine` or `all`.
    kind: Mapped[str] = mapped_column(primary_key=True)
    #: Which; empty for `all`.
    name: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=func.now())


class EngineLine(Base):
    """How far the order of one engine's line has come. Written by the coordinator."""

    __tablename__ = "engine_lines"

    engine: Mapped[str] = mapped_column(primary_key=True)
    #: The share's virtual time, in engine-seconds for a weight of 1.
    virtual_time: Mapped[float] = mapped_column(server_default=text("0"))
    #: Places given since one went to the longest overdue run.
    since_overdue: Mapped[int] = mapped_column(server_default=text("0"))
    #: The most runs in its window; None: as many as its slots allow.
    max_running: Mapped[int | None]


class Share(Base):
    """What an owner has used of an engine. Written by the coordinator."""

    __tablename__ = "shares"

    engine: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    #: Engine-seconds by weight, on the line's virtual clock.
    used: Mapped[float] = mapped_column(server_default=text("0"))
    #: Whether something of it waited when the line's last place was given.
    waited: Mapped[bool] = mapped_column(server_default=text("false"))


class Pool(Offering, Base):
    """A worker that consumes an engine's queue. Written by the worker."""

    __tablename__ = "pools"

    worker: Mapped[str] = mapped_column(primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True, index=True)
    #: Runs that it works on at a time.
    slots: Mapped[int]
    device: Mapped[str] = mapped_column(server_default=text("'cpu'"))
    #: Bytes of memory that its machine has free; of its device's too, where it has some.
    free_memory: Mapped[int | None] = mapped_column(BigInteger)
    free_vram: Mapped[int | None] = mapped_column(BigInteger)
    #: When it was last heard of, by the database's clock.
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
