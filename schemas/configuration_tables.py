"""The ledger's table of what became of configurations: shape only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base


class ConfigurationEvent(Base):
    """A configuration that a machine accepted, or refused. Every package appends, none changes."""

    __tablename__ = "configuration_events"
    __table_args__ = (Index("ix_configuration_events_file", "node", "file", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: The machine.
    node: Mapped[str]
    #: Which process saw it first: `coordinator`, `worker` or `command`.
    process: Mapped[str]
    file: Mapped[str]
    #: `accepted` or `refused`.
    kind: Mapped[str]
    #: SHA-256 of the file's bytes; empty where there was no file.
    digest: Mapped[str]
    #: Who changed it: the user of a command, else the file's owner.
    who: Mapped[str | None]
    #: `changes`, `restart` (the keys that wait for one), `problem`.
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
