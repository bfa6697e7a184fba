"""The ledger's tables of what comes after what: shape only."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base


class Dependency(Base):
    """A job that starts only after another has ended. Written by the coordinator."""

    __tablename__ = "dependencies"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    after_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class BatchDependency(Base):
    """A job that starts only after all jobs of a batch. Written by the coordinator."""

    __tablename__ = "batch_dependencies"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    #: A sealed batch.
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True, index=True)
