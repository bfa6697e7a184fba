"""Decides what becomes of an alert when its value is looked at: pending, firing, resolved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from schemas.alert_rules import Rule


class AlertState(StrEnum):
    """Where an alert stands."""

    #: The condition holds, not yet for long enough.
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Standing:
    """What is remembered of an alert between two looks."""

    state: AlertState
    #: Since when the condition holds.
    since: datetime
    #: Since when it has held no more, and the value was back where a firing alert may end.
    clear_since: datetime | None = None


def judge(
    rule: Rule, before: Standing | None, value: float | None, now: datetime
) -> Standing | None:
    """Return how an alert stands after a look; None: there is none, or it was nothing.

    Args:
        rule: when it begins and ends.
        before: how it stood; None: there was none.
        value: what was measured; None: the thing is not there any more.
        now: the time of the look.
    """
    if before is not None and before.state is AlertState.FIRING:
        return _firing(rule, before, value, now)
    if value is None or not rule.holds(value):
        return None
    held = before or Standing(AlertState.PENDING, now)
    if (now - held.since).total_seconds() >= rule.for_seconds:
        return replace(held, state=AlertState.FIRING)
    return held


def _firing(rule: Rule, before: Standing, value: float | None, now: datetime) -> Standing:
    """Let it end once the value stayed back for long enough."""
    if value is not None and not rule.cleared(value):
        return replace(before, clear_since=None)
    since = before.clear_since or now
    over = (now - since).total_seconds() >= rule.clear_seconds
    return Standing(AlertState.RESOLVED if over else AlertState.FIRING, before.since, since)
