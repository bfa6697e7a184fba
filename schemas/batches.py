"""Many recordings that were submitted together."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas.base import Contract
from schemas.jobs import JobState


class BatchView(Contract):
    """A batch as it stands; a job that was tried again counts once, as it is now."""

    id: UUID
    label: str | None = None
    created_at: datetime
    paused: bool = False
    #: Whether it takes no more jobs, because others come after it.
    sealed: bool = False
    counts: dict[JobState, int]
    #: How many of the completed ones miss an engine's answer, or a part of one.
    degraded: int = 0

    @property
    def total(self) -> int:
        """How many jobs it has."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """How many of them have ended."""
        return sum(count for state, count in self.counts.items() if state.terminal)
