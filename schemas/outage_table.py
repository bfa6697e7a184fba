"""The ledger's table of engines that could not take what waited for them: shape only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base


class Outage(Base):
    """A time in which something waited for an engine that had no slot. Written by the coordinator.

    Rules for alerts can be made of it: it fires once it was told, and is resolved at its end.
    """

    __tablename__ = "outages"
    __table_args__ = (
        Index("uq_outages_open", "engine", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    engine: Mapped[str]
    #: A sentence: there is no live worker, or none has enough free memory.
    reason: Mapped[str]
    #: Runs that waited when it was looked at last.
    waiting: Mapped[int]
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    #: When it had lasted long enough to be told of; None: it is short so far.
    told_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
