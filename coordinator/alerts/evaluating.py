"""Brings the ledger's alerts up to what was read, decides who is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import delete, func, select

from coordinator.alerts.outbox import enqueue
from coordinator.alerts.readings import Labels, Readings, series_of
from coordinator.alerts.silences import silences, silent_until
from coordinator.alerts.states import AlertState, Standing, judge
from coordinator.alerts.telling import AlertMessage, News, printable, summary
from schemas.alert_tables import Alert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from coordinator.alerts.silences import Silence
    from schemas.alert_rules import Rule
    from schemas.alert_settings import AlertSettings

#: Any number that nobody else locks: of several coordinators one looks after alerts at a time.
ALERT_LOCK = 0x616C657274
#: Days after which an alert that is over is forgotten.
KEPT_DAYS = 90

log = structlog.get_logger("coordinator")


def take_lock(session: Session) -> bool:
    """Return whether this transaction is the one that looks after alerts; held until it ends."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(ALERT_LOCK))))


def evaluate(session: Session, settings: AlertSettings, readings: Readings) -> list[AlertMessage]:
    """Move every alert to where it stands now; return what was told of, for the log too.

    Where nothing is known of a metric, or of one thing of it, its alerts stay as they are.
    """
    now: datetime = session.execute(select(func.now())).scalar_one()
    rules = {name: rule for name, rule in settings.watched().items() if rule.enabled}
    rows = {
        (row.rule, row.series): row
        for row in session.scalars(select(Alert).where(Alert.resolved_at.is_(None)))
    }
    for (name, _), row in list(rows.items()):
        if name not in rules:  # it was taken out of the configuration
            _resolve(session, row, now)
    for name, rule in rules.items():
        for labels, value in _looked_at(name, rule, rows, readings):
            _move(session, (name, rule, labels, value), rows, now)
    _forget(session)
    told = list(_told(session, settings, list(rows.values()), now))
    for row, message in told:
        row.told_at = now
        session.flush()
        enqueue(session, settings, row.id, message)
    return [message for _, message in told]


def _looked_at(
    name: str, rule: Rule, rows: Mapping[tuple[str, str], Alert], readings: Readings
) -> Iterator[tuple[Labels, float | None]]:
    """Yield what a rule has to be asked about: each thing that was read, or has an open alert."""
    values = readings.of(rule.metric)
    if values is None:
        return
    yield from values.items()
    there = {series_of(labels) for labels in values}
    for (of, series), row in list(rows.items()):
        known = series in there or readings.is_unknown(rule.metric, series)
        if of == name and not known:
            yield tuple(sorted(row.labels.items())), None


def _move(
    session: Session,
    look: tuple[str, Rule, Labels, float | None],
    rows: dict[tuple[str, str], Alert],
    now: datetime,
) -> None:
    name, rule, labels, value = look
    key = (name, series_of(labels))
    row = rows.get(key)
    before = Standing(AlertState(row.state), row.since, row.clear_since) if row else None
    after = judge(rule, before, value, now)
    if after is None:
        if row is not None:
            session.delete(rows.pop(key))
        return
    if row is None:
        row = rows[key] = Alert(rule=name, series=key[1], labels=dict(labels))
        session.add(row)
    row.state, row.since, row.clear_since = after.state.value, after.since, after.clear_since
    row.severity = rule.severity
    row.value = value
    row.summary = summary(name, rule, dict(labels), value)
    if after.state is AlertState.FIRING:
        row.fired_at = row.fired_at or now
    if after.state is AlertState.RESOLVED:
        row.resolved_at = now


def _resolve(session: Session, row: Alert, now: datetime) -> None:
    if row.state == AlertState.PENDING.value:
        session.delete(row)
        return
    row.state, row.resolved_at = AlertState.RESOLVED.value, now


def _told(
    session: Session, settings: AlertSettings, rows: Sequence[Alert], now: datetime
) -> Iterator[tuple[Alert, AlertMessage]]:
    """Yield the alerts that somebody is to be told of, with what is told."""
    watched, quiet = settings.watched(), silences(session)
    for row in rows:
        rule = watched.get(row.rule)
        news = _news(row, rule, quiet, settings.repeat_seconds, now)
        if news is not None:
            yield row, _message(row, rule, news, now)


def _news(
    row: Alert, rule: Rule | None, quiet: Sequence[Silence], repeat: float, now: datetime
) -> News | None:
    if row.state == AlertState.RESOLVED.value:
        return News.RESOLVED if row.told_at is not None else None
    if row.state != AlertState.FIRING.value or (rule is not None and rule.silenced):
        return None
    if silent_until(quiet, row.rule, row.labels) is not None:
        return None
    if row.told_at is None:
        return News.FIRING
    due = repeat and (now - row.told_at).total_seconds() >= repeat
    return News.STILL_FIRING if due else None


def _message(row: Alert, rule: Rule | None, news: News, now: datetime) -> AlertMessage:
    return AlertMessage.model_validate(
        {
            "news": news,
            "rule": row.rule,
            "severity": row.severity,
            "labels": {name: printable(value) for name, value in row.labels.items()},
            "metric": rule.metric if rule else "",
            "value": row.value,
            "threshold": rule.threshold if rule else 0.0,
            "summary": row.summary,
            "since": row.since,
            "at": now,
        }
    )


def _forget(session: Session) -> None:
    long_ago = func.now() - func.make_interval(0, 0, 0, KEPT_DAYS)
    session.execute(delete(Alert).where(Alert.resolved_at < long_ago))


def write_down(messages: Sequence[AlertMessage]) -> None:
    """Tell the log, by which everybody is told."""
    for message in messages:
        loud = {"critical": log.error, "warning": log.warning, "info": log.info}
        tell = log.info if message.news is News.RESOLVED else loud[message.severity]
        tell(
            f"alert_{message.news.value}",
            rule=message.rule,
            severity=message.severity,
            summary=message.summary,
            since=message.since.isoformat(timespec="seconds"),
            **{f"of_{name}": value for name, value in message.labels.items()},
        )
