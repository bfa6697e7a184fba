"""The columns by which work that was done is found again: shape only."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

#: Which runs may answer others.
KNOWN = text("question IS NOT NULL")


class Reusable:
    """What a run's transcript answers, if it may answer others."""

    #: SHA-256 of what was asked about which part of which recording.
    question: Mapped[str | None] = mapped_column()
    #: SHA-256 of by what it was heard: engine, version, model, all options.
    heard_by: Mapped[str | None] = mapped_column()
    #: SHA-256 of the stored transcript.
    digest: Mapped[str | None] = mapped_column()
    #: The run whose transcript this one repeats.
    reused_from: Mapped[UUID | None] = mapped_column()


class Replaceable:
    """What a job was done again as."""

    #: The job that was made to try it again, or to have more engines hear the same recording.
    replaced_by: Mapped[UUID | None] = mapped_column()


class Resumable:
    """What a batch is found again by."""

    #: SHA-256 of the command that fills it: the same command goes on with the same batch.
    key: Mapped[str | None] = mapped_column(unique=True)
