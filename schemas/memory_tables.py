"""The ledger's tables of what is found again, or was erased: shape only."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base, EngineRun, Job


class ReportWords(Base):
    """The words of a report, to be searched. Written by the database itself, by a trigger."""

    __tablename__ = "report_words"
    __table_args__ = (
        Index("ix_report_words_words", "words", postgresql_using="gin"),
        Index("ix_report_words_recent", "created_at", "job_id"),
    )

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("reports.job_id", ondelete="CASCADE"), primary_key=True
    )
    #: When the job was submitted: repeated here, so that one index has what the order needs.
    created_at: Mapped[datetime]
    words: Mapped[Any] = mapped_column(TSVECTOR)


class Tombstone(Base):
    """A recording of which something was erased. Written by whoever erases."""

    __tablename__ = "tombstones"

    #: SHA-256 of the recording.
    sha256: Mapped[str] = mapped_column(primary_key=True)
    #: When it was erased last.
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: `forgotten`, or `retention`.
    why: Mapped[str]
    #: `Trace` values.
    what: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    #: How many jobs had heard it by then.
    jobs: Mapped[int]


# A page of the history is read from one of these, in its order, wherever it begins.
Index("ix_jobs_history", Job.created_at, Job.id)
Index("ix_jobs_history_state", Job.state, Job.created_at, Job.id)
Index("ix_jobs_history_owner", Job.owner, Job.created_at, Job.id)
Index(
    "ix_engine_runs_history",
    *(EngineRun.engine, EngineRun.submitted_at, EngineRun.job_id),
    postgresql_where=text("chunk = 0"),
)
# Which jobs have heard a recording.
Index("ix_jobs_sha256", text("(audio ->> 'sha256')"), _table=Base.metadata.tables["jobs"])
