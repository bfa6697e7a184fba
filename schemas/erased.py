"""The column that tells what of a job was erased: shape only."""

from __future__ import annotations

from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column


class Erasable:
    """What is left of a job's traces."""

    #: `Trace` values that were erased, by a rule of the retention or because it was forgotten.
    erased: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
