"""The ledger's table of what was submitted to batches: shape only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base


class BatchItem(Base):
    """A source that was submitted to a batch: once, however often. Written by the coordinator."""

    __tablename__ = "batch_items"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    #: SHA-256 of what tells the source from others, and from itself once it has changed.
    mark: Mapped[str] = mapped_column(primary_key=True)
    #: The job that stands for it now: the last one, where it was tried again.
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    #: What was submitted, for people to read: no query, no password.
    source: Mapped[str]
    #: Where its true transcript lies, as the manifest says.
    reference: Mapped[str | None]
    labels: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
