"""Shows the alerts that the ledger has, with the silences that hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from coordinator.alerts.silences import silences, silent_until
from coordinator.alerts.states import AlertState
from coordinator.alerts.telling import AlertView
from schemas.alert_tables import Alert

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: The order in which alerts are shown.
ORDER = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)


def read_alerts(session: Session, *, over: int = 0) -> tuple[AlertView, ...]:
    """Return the open alerts, those that fire first, then so many of those that are over."""
    quiet = silences(session)
    rows = list(session.scalars(select(Alert).where(Alert.resolved_at.is_(None))))
    if over:
        ended = select(Alert).where(Alert.resolved_at.is_not(None))
        rows += session.scalars(ended.order_by(Alert.resolved_at.desc()).limit(over))
    views = [
        AlertView(
            id=row.id,
            rule=row.rule,
            labels=row.labels,
            severity=row.severity,
            state=AlertState(row.state),
            value=row.value,
            summary=row.summary,
            since=row.since,
            fired_at=row.fired_at,
            resolved_at=row.resolved_at,
            told_at=row.told_at,
            silenced_until=silent_until(quiet, row.rule, row.labels),
        )
        for row in rows
    ]
    return tuple(sorted(views, key=lambda view: ORDER.index(view.state)))
