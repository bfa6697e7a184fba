"""The ledger's table of prepared recordings: shape only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base


class Medium(Base):
    """A recording's preparation. Inserted by the coordinator, then written by its worker."""

    __tablename__ = "media"
    __table_args__ = (
        Index("ix_media_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_media_open", "state", postgresql_where=text("state IN ('queued', 'running')")),
    )

    #: SHA-256 of the source's bytes.
    sha256: Mapped[str] = mapped_column(primary_key=True)
    #: `AudioRef` as JSON.
    audio: Mapped[dict[str, Any]]
    #: `MediaState`.
    state: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Counts claims; a save that carries another number than the row is refused.
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    #: Attempts that were cut off from outside: they do not count against the recording.
    forgiven: Mapped[int] = mapped_column(server_default=text("0"))
    #: The worker that holds the lease: node name and process id.
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    #: From when on the broker shall be given it; None once the broker has taken it.
    due_at: Mapped[datetime | None]
    #: When the broker last took it.
    published_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: Seconds of it that are decoded; its whole length, None before that is known.
    done_seconds: Mapped[float] = mapped_column(server_default=text("0"))
    seconds: Mapped[float | None]
    #: `Prepared` as JSON, once it is ready.
    prepared: Mapped[dict[str, Any] | None]
    #: `Failure` as JSON.
    failure: Mapped[dict[str, Any] | None]
