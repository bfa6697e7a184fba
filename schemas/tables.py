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
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from schemas.revision import SCHEMA_REVISION

__all__ = [
    "SCHEMA_REVISION",
    "Base",
    "Batch",
    "EngineRun",
    "Job",
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


class Batch(Base):
    """Jobs submitted together. Written by the coordinator."""

    __tablename__ = "batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    label: Mapped[str | None]
    #: Since when nothing more of it shall be started.
    paused_at: Mapped[datetime | None]


class Job(Base):
    """One recording to transcribe. Written by the coordinator; ended by the aggregation."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "ix_jobs_waiting",
            "created_at",
            "id",
            postgresql_where=text("state = 'queued' AND paused_at IS NULL"),
        ),
        Index("ix_jobs_open", "fingerprint", postgresql_where=text("finished_at IS NULL")),
        Index("ix_jobs_created_at", "created_at"),
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

    runs: Mapped[list[EngineRun]] = relationship(
        back_populates="job", order_by="EngineRun.position", passive_deletes=True
    )


class EngineRun(Base):
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
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    engine: Mapped[str]
    #: Which part of the recording, from 0.
    chunk: Mapped[int] = mapped_column(server_default=text("0"))
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
