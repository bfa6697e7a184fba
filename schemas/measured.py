"""The columns that say what a run was heard on, what a pool hears on: shape only."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column


class HeardOn:
    """What a run is heard on, or was; None where that is not known, or nobody listened."""

    #: `cpu`, or what the graphics card is called.
    device: Mapped[str | None] = mapped_column()
    #: As the transcript names it.
    model: Mapped[str | None] = mapped_column()


class Offering:
    """What a pool's runs are heard on."""

    #: What its graphics card is called; None where it has none.
    card: Mapped[str | None] = mapped_column()
    #: What its engine has loaded; None before it was used.
    model: Mapped[str | None] = mapped_column()
