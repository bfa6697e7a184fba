"""The ledger's table of what was measured, from which things are estimated: shape only."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, Table, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base


class Measure(Base):
    """Running quantiles of one quantity. Written by the coordinator."""

    __tablename__ = "measures"

    #: The quantity: `rtf`, engine-seconds for a second of audio; `run`, seconds of a run; `rate`,
    #: bytes for a second of audio; `cost`, what a run took over what was expected of it.
    kind: Mapped[str] = mapped_column(primary_key=True)
    #: Of what: an engine, or a file's suffix.
    name: Mapped[str] = mapped_column(primary_key=True)
    #: `cpu` or what the card is called, the model; empty: of all devices, of all models.
    device: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    model: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    median: Mapped[float]
    #: The 90th percentile.
    high: Mapped[float]
    samples: Mapped[int] = mapped_column(server_default=text("1"))
    #: The running median of |log(measured / expected)|: 0.1 is about ten percent.
    error: Mapped[float] = mapped_column(server_default=text("0"))


#: What coordinators older than schema 0008 learn; nothing reads it any more.
OLD_ESTIMATES = Table(
    "estimates",
    Base.metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("median", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("samples", Integer, nullable=False, server_default=text("1")),
    Column("error", Double, nullable=False, server_default=text("0")),
)
