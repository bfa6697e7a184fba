"""Which failures are tried again, how often, after how long."""

from __future__ import annotations

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


def retry_delay(kind: FailureKind, attempt: int) -> float | None:
    """Return the seconds until the next attempt, or None when `attempt` (from 1) was the last."""
    rule = RETRY_RULES.get(kind, RetryRule())
    if attempt >= min(rule.attempts, MAX_ATTEMPTS):
        return None
    return rule.delay_seconds
