"""How urgent a job is, whose it is, what it waits for."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.base import Contract

#: The owner of jobs that name none.
DEFAULT_OWNER = "default"
#: The most jobs that one job may come after.
MAX_AFTER = 1000
#: The most batches that one job may come after.
MAX_AFTER_BATCHES = 100

OWNER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$"

#: Whose job it is: letters, digits, `_`, `.`, `@`, `-`; at most 100.
OwnerName = Annotated[str, StringConstraints(pattern=OWNER_PATTERN)]


class Priority(StrEnum):
    """How urgent a job is, the most urgent first."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """The place in the order: 0 goes first."""
        return list(Priority).index(self)

    @classmethod
    def of_rank(cls, rank: int) -> Priority:
        """Return the priority of a rank."""
        return list(cls)[rank]


class DeadlinePolicy(StrEnum):
    """What is done with a job that cannot keep its deadline."""

    #: It goes on; it is marked.
    BEST_EFFORT = "best_effort"
    #: It fails when the deadline has passed, or cannot be kept any more.
    FAIL = "fail"
    #: Those engines are left out that cannot keep it; at least one stays.
    DROP_SLOW_ENGINES = "drop_slow_engines"


class FailedDependency(StrEnum):
    """What is done with a job when one that it comes after has failed or was cancelled."""

    #: It is cancelled as well.
    SKIP = "skip"
    RUN_ANYWAY = "run_anyway"


class Place(StrEnum):
    """Where a run stands before the broker."""

    #: In its engine's line.
    WAITING = "waiting"
    #: In no line: its job is paused, or comes after another.
    HELD = "held"
    #: In no line: its recording is being prepared.
    PREPARING = "preparing"
    #: In the engine's window: the broker has it, or is about to get it.
    WINDOW = "window"


class Schedule(Contract):
    """When a job shall be done, as its submitter asks."""

    priority: Priority = Priority.NORMAL
    owner: OwnerName = DEFAULT_OWNER
    deadline: AwareDatetime | None = None
    deadline_policy: DeadlinePolicy = DeadlinePolicy.BEST_EFFORT
    after: Annotated[tuple[UUID, ...], Field(max_length=MAX_AFTER)] = ()
    #: Batches all of whose jobs have to end first.
    after_batches: Annotated[tuple[UUID, ...], Field(max_length=MAX_AFTER_BATCHES)] = ()
    on_failed_dependency: FailedDependency = FailedDependency.SKIP


class ScheduleView(Contract):
    """How a job is scheduled, as its ledger row stands."""

    priority: Priority = Priority.NORMAL
    owner: str = DEFAULT_OWNER
    deadline: datetime | None = None
    deadline_policy: DeadlinePolicy = DeadlinePolicy.BEST_EFFORT
    #: Since when its deadline is not expected to be kept.
    at_risk_at: datetime | None = None
    #: How many of the jobs, with how many of the batches, that it comes after have not ended.
    blockers: int = 0
