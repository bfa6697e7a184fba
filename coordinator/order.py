"""The rule by which an engine's free places are given to the runs that wait."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run in an engine's line."""

    id: UUID
    job_id: UUID
    owner: str
    #: `Priority.rank`: 0 is the most urgent.
    priority: int
    #: Seconds since 1970.
    latest_start: float
    submitted_at: float
    #: Seconds that the engine is expected to need.
    cost: float
    #: Whether it has waited longer than its priority's target.
    overdue: bool = False


@dataclass(slots=True)
class Use:
    """What an owner has had of an engine, and may have."""

    #: Engine-seconds divided by the weight, on the engine's virtual clock.
    used: float = 0.0
    weight: float = 1.0
    #: Places that its cap leaves.
    room: float = math.inf
    #: Whether something of it has waited since the last place was given: its use then counts as
    #: it is. Who comes back after a while is owed nothing for that while.
    waited: bool = False


@dataclass(slots=True)
class Line:
    """One engine's line: the heads of what waits, and how far its order has come."""

    #: By priority and owner, those with the earliest latest start: enough for all free places.
    heads: Iterable[Waiting]
    #: Those past their target: of each priority and owner the earliest submitted.
    overdue: Iterable[Waiting] = ()
    owners: dict[str, Use] = field(default_factory=dict)
    virtual_time: float = 0.0
    since_overdue: int = 0
    #: One place of so many goes to the longest overdue run.
    overdue_every: int = 4

    def give(self, places: int) -> list[Waiting]:
        """Give free places to runs, the first one first; write down what that uses.

        One place of every `overdue_every` goes to the run past its target that was submitted
        first. The others go to the highest priority; within it to the owner who has used the
        least for its weight; among that owner's to the one that has to start first.
        """
        groups = _groups(self.heads)
        self._welcome({owner for _, owner in groups})
        overdue = deque(sorted(self.overdue, key=lambda run: (run.submitted_at, run.id)))
        given: list[Waiting] = []
        taken: set[UUID] = set()
        while len(given) < places:
            oldest = self._oldest(overdue, taken)
            turn = oldest is not None and self.since_overdue >= self.overdue_every - 1
            run = oldest if turn else self._next(groups.values(), taken)
            if run is None:
                break
            self.since_overdue = 0 if run is oldest else self.since_overdue + 1
            self._charge(run)
            taken.add(run.id)
            given.append(run)
        return given

    def _next(self, groups: Iterable[deque[Waiting]], taken: set[UUID]) -> Waiting | None:
        """Return the run whose turn it is by priority, share and latest start."""
        firsts = []
        for group in groups:
            while group and group[0].id in taken:
                group.popleft()
            if group and self._use(group[0].owner).room > 0:
                firsts.append(group[0])
        if not firsts:
            return None
        self.virtual_time = min(map(self._used, firsts))
        return min(
            firsts, key=lambda run: (run.priority, self._used(run), run.latest_start, run.id)
        )

    def _oldest(self, overdue: deque[Waiting], taken: set[UUID]) -> Waiting | None:
        """Return the run past its target that was submitted first; drop what cannot be given."""
        while overdue and (overdue[0].id in taken or self._use(overdue[0].owner).room <= 0):
            overdue.popleft()
        return overdue[0] if overdue else None

    def _use(self, owner: str) -> Use:
        return self.owners.setdefault(owner, Use())

    def _used(self, run: Waiting) -> float:
        return self._use(run.owner).used

    def _welcome(self, owners: Iterable[str]) -> None:
        """Let those who come anew start with what the one has who has had the least."""
        uses = [self._use(owner) for owner in owners]
        least = min((use.used for use in uses if use.waited), default=self.virtual_time)
        for use in uses:
            if not use.waited:
                use.used, use.waited = max(use.used, least), True

    def _charge(self, run: Waiting) -> None:
        use = self._use(run.owner)
        use.used += run.cost / use.weight
        use.room -= 1


def _groups(heads: Iterable[Waiting]) -> dict[tuple[int, str], deque[Waiting]]:
    groups: dict[tuple[int, str], deque[Waiting]] = {}
    for run in sorted(heads, key=lambda run: (run.latest_start, run.id)):
        groups.setdefault((run.priority, run.owner), deque()).append(run)
    return groups


class Spare(NamedTuple):
    """How many places a window has beyond its engine's slots."""

    #: For each slot.
    share: float
    #: So many that they hold these seconds of work.
    seconds: float
    most: int
    #: None where a run takes longer than so many seconds: to be given the next one takes a worker
    #: a quarter of a second, and who is urgent has no spare run before it.
    below_seconds: float


def window(slots: int, run_seconds: float, spare: Spare) -> int:
    """Return how many runs of an engine may be with the broker and its workers at a time.

    Args:
        slots: runs that its live workers work on at a time; without any the window is closed.
        run_seconds: what a run takes, so that short ones do not keep workers waiting.
        spare: the places beyond the slots.
    """
    if slots <= 0:
        return 0
    if run_seconds > spare.below_seconds:
        return slots
    by_work = slots * spare.seconds / max(run_seconds, 1e-3)
    return slots + min(spare.most, max(1, math.ceil(slots * spare.share), math.ceil(by_work)))
