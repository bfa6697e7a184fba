"""Says for how long nobody is told of which alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from coordinator.errors import BadRequestError
from schemas.alert_tables import AlertSilence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy.orm import Session

#: Stands for every rule.
EVERY = "all"
#: The longest silence, in seconds: what shall be silent for ever is configured so.
MOST_SECONDS = 30 * 86_400.0
#: Days for which silences that are over are kept.
KEPT_DAYS = 90


@dataclass(frozen=True)
class Silence:
    """One silence."""

    rule: str
    labels: Mapping[str, Any]
    until: datetime

    def covers(self, rule: str, labels: Mapping[str, str]) -> bool:
        """Whether it holds for an alert."""
        return self.rule in {EVERY, rule} and all(
            labels.get(name) == value for name, value in self.labels.items()
        )


def silences(session: Session) -> list[Silence]:
    """Return those that hold now."""
    rows = session.scalars(select(AlertSilence).where(AlertSilence.until > func.now()))
    return [Silence(row.rule, row.labels, row.until) for row in rows]


def silent_until(found: Sequence[Silence], rule: str, labels: Mapping[str, str]) -> datetime | None:
    """Return until when nobody is told of an alert; None: somebody is."""
    ends = [silence.until for silence in found if silence.covers(rule, labels)]
    return max(ends, default=None)


def silence(
    session: Session,
    *,
    rule: str,
    labels: Mapping[str, str],
    seconds: float,
    who: str,
    reason: str,
) -> datetime:
    """Begin a silence; return when it ends.

    Raises:
        BadRequestError: it is too short or too long.
    """
    if not 0 < seconds <= MOST_SECONDS:
        message = f"a silence lasts more than 0 s and up to {MOST_SECONDS / 86_400:.0f} days"
        raise BadRequestError(message)
    session.execute(
        delete(AlertSilence).where(
            AlertSilence.until < func.now() - func.make_interval(0, 0, 0, KEPT_DAYS)
        )
    )
    until = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    row = insert(AlertSilence).values(
        rule=rule, labels=dict(labels), until=until, who=who, reason=reason
    )
    return session.execute(row.returning(AlertSilence.until)).scalar_one()


def end_silences(session: Session, rule: str) -> int:
    """End all silences of a rule; return how many there were."""
    ended = session.execute(
        update(AlertSilence)
        .where(AlertSilence.rule == rule, AlertSilence.until > func.now())
        .values(until=func.now())
        .returning(AlertSilence.id)
    ).all()
    return len(ended)
