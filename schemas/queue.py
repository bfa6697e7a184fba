"""What waits, in which order, for what reason."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from schemas.base import Contract
from schemas.scheduling import Priority


class QueuedRun(Contract):
    """A run in its engine's line."""

    #: Its place in the line, from 1, as things stand.
    position: int
    job_id: UUID
    recording: str
    owner: str
    priority: Priority
    submitted_at: datetime
    deadline: datetime | None = None
    #: Whether it has waited longer than its priority's target.
    overdue: bool = False
    #: Seconds that the engine is expected to need.
    cost_seconds: float
    #: When it is expected to begin; None where nobody serves the engine.
    expected_start: datetime | None = None


class EngineQueue(Contract):
    """One engine's line."""

    engine: str
    #: Runs that its live workers work on at a time.
    slots: int
    #: Runs that are with the broker or a worker.
    in_window: int
    waiting: int
    #: Why nothing of it is admitted; None while things go on.
    stopped: str | None = None
    #: Since when its workers cannot take what waits; None where they can, or nothing does.
    stopped_since: datetime | None = None
    #: Whether that has lasted so long that it was told of.
    alert: bool = False
    #: The first of those that wait.
    runs: tuple[QueuedRun, ...] = ()
    #: The running median of |log(taken / expected)|, 0.1 is about ten percent; None before any run.
    estimate_error: float | None = None


class EngineOutage(Contract):
    """An engine whose workers cannot take what waits for it, for so long that it was told of."""

    engine: str
    #: A sentence.
    reason: str
    #: Runs that wait, or waited when it was looked at last.
    waiting: int
    since: datetime
    told_at: datetime


class RunReason(Contract):
    """Why a run stands where it does."""

    engine: str
    state: str
    #: A sentence.
    reason: str
    position: int | None = None
    expected_start: datetime | None = None
    expected_end: datetime | None = None


class JobReason(Contract):
    """Why a job stands where it does."""

    job_id: UUID
    state: str
    runs: tuple[RunReason, ...]
    #: When all of it is expected to have ended; None where that cannot be said.
    expected_end: datetime | None = None
