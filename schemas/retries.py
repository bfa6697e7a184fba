"""Which failures are tried again, how often, after how long, with what eased."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from schemas.base import Contract
from schemas.runs import FailureKind

#: The most attempts at one run, whatever ended them. The last word against poison.
MAX_ATTEMPTS: Final = 3


class RetryRule(Contract):
    """What follows a failure of one kind."""

    #: Attempts after which this kind is final; 1 never tries again.
    attempts: int = 1
    #: Seconds before the next attempt.
    delay_seconds: float = 0.0


#: Kinds that are not listed are final at once: another attempt would end the same way.
RETRY_RULES: Final[dict[FailureKind, RetryRule]] = {
    FailureKind.OUT_OF_MEMORY: RetryRule(attempts=3, delay_seconds=5.0),
    FailureKind.ENGINE_ERROR: RetryRule(attempts=2, delay_seconds=2.0),
    FailureKind.STORAGE: RetryRule(attempts=3, delay_seconds=10.0),
    FailureKind.WORKER_LOST: RetryRule(attempts=3, delay_seconds=0.0),
}


class Ease(StrEnum):
    """A way for an engine to need less memory."""

    SMALLER_BATCH = "smaller_batch"
    CPU = "cpu"


#: What is eased in an attempt, by how many attempts at the run have run out of memory before it.
#: More than the last number is eased like the last.
OUT_OF_MEMORY_LADDER: Final[dict[int, tuple[Ease, ...]]] = {
    0: (),
    1: (Ease.SMALLER_BATCH,),
    2: (Ease.SMALLER_BATCH, Ease.CPU),
}


def eases(out_of_memory: int) -> tuple[Ease, ...]:
    """Return what is eased after so many attempts that ran out of memory."""
    return OUT_OF_MEMORY_LADDER[min(out_of_memory, max(OUT_OF_MEMORY_LADDER))]


def retry_delay(kind: FailureKind, attempt: int) -> float | None:
    """Return the seconds until the next attempt, or None when `attempt` (from 1) was the last."""
    rule = RETRY_RULES.get(kind, RetryRule())
    if attempt >= min(rule.attempts, MAX_ATTEMPTS):
        return None
    return rule.delay_seconds
