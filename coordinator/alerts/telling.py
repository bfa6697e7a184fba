"""Puts an alert into words, for people and for programs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from coordinator.alerts.states import AlertState
from schemas.alert_rules import METRICS, Severity
from schemas.base import Contract

if TYPE_CHECKING:
    from schemas.alert_rules import Rule

#: Where each default alert is explained.
RUNBOOK = "ops/runbook.md"
#: Digits of a value that are shown.
DIGITS = 4
#: Characters of a label's value that are shown.
MOST_SHOWN = 100


class News(StrEnum):
    """Why somebody is told of an alert."""

    FIRING = "firing"
    #: It was told before, and goes on.
    STILL_FIRING = "still_firing"
    RESOLVED = "resolved"
    #: Somebody tries whether messages arrive.
    TEST = "test"


class AlertMessage(Contract):
    """What the channels send."""

    news: News
    rule: str
    severity: Severity
    labels: dict[str, str]
    metric: str
    #: What was measured last; None where the thing is not there any more.
    value: float | None
    threshold: float
    summary: str
    since: datetime
    at: datetime
    #: The page that says what to look at.
    runbook: str = RUNBOOK


class AlertView(Contract):
    """An alert as it stands in the ledger."""

    id: Annotated[int, Field(ge=0)]
    rule: str
    labels: dict[str, str]
    severity: str
    state: AlertState
    value: float | None
    summary: str
    since: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    told_at: datetime | None
    #: Until when nobody is told of it.
    silenced_until: datetime | None = None


def summary(name: str, rule: Rule, labels: dict[str, str], value: float | None) -> str:
    """Return what is wrong in a sentence, fit for a terminal, a log, a mail's subject."""
    where = ", ".join(f"{key} {printable(of)}" for key, of in labels.items())
    subject = f"{name} ({where})" if where else name
    if value is None:
        return f"{subject}: it is not there any more"
    what = METRICS[rule.metric].rpartition(" (")[0] or METRICS[rule.metric]
    return f"{subject}: {value:.{DIGITS}g} {what}; limit {rule.comparison} {rule.threshold:g}"


def printable(text: str) -> str:
    """Return text without what a terminal or a header would obey, cut to a readable length."""
    clean = "".join(sign if sign.isprintable() else "�" for sign in text)
    return clean if len(clean) <= MOST_SHOWN else f"{clean[: MOST_SHOWN - 1]}…"
