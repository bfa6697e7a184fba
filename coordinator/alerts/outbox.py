"""Keeps messages about alerts until their channel has taken them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, text, update

from schemas.alert_settings import loud_enough
from schemas.alert_tables import AlertDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from coordinator.alerts.telling import AlertMessage
    from schemas.alert_settings import AlertSettings, CommandSettings, EmailSettings
    from schemas.alert_settings import WebhookSettings as Webhook

#: The most seconds between two attempts.
LAST_RETRY_SECONDS = 600.0
#: Seconds beyond a channel's own limit after which whoever took a message counts as dead.
MARGIN_SECONDS = 60.0

WEBHOOK, EMAIL, COMMAND = "webhook", "email", "command"
CHANNELS = (WEBHOOK, EMAIL, COMMAND)

#: Takes the first message that is due, of those before which none of the same alert waits. Who
#: dies with it leaves it due a little later.
TAKE = text("""
UPDATE alert_deliveries SET attempts = attempts + 1, due_at = now() + make_interval(secs => :held)
WHERE id = (
  SELECT id FROM alert_deliveries AS mine
  WHERE channel = :channel AND due_at <= now() AND NOT EXISTS (
    SELECT FROM alert_deliveries AS before
    WHERE before.alert_id = mine.alert_id AND before.channel = mine.channel
      AND before.due_at IS NOT NULL AND before.number < mine.number)
  ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, channel, body, attempts, extract(epoch FROM now() - created_at)::float8 AS age
""")


@dataclass(frozen=True)
class Delivery:
    """A message that is being delivered."""

    id: UUID
    channel: str
    body: dict[str, Any]
    #: Which attempt this is, from 1.
    attempts: int
    #: Seconds since there was something to tell.
    age: float


def configured(
    settings: AlertSettings,
) -> Iterator[tuple[str, Webhook | EmailSettings | CommandSettings]]:
    """Yield the channels that are configured, with their settings."""
    if settings.webhook.url is not None:
        yield WEBHOOK, settings.webhook
    if settings.email.host is not None:
        yield EMAIL, settings.email
    if settings.command.argv:
        yield COMMAND, settings.command


def enqueue(session: Session, settings: AlertSettings, alert: int, message: AlertMessage) -> None:
    """Have a message delivered by every channel for which it is loud enough."""
    body = message.model_dump(mode="json")
    for channel, how in configured(settings):
        if loud_enough(message.severity, how.least):
            row = {"id": uuid4(), "alert_id": alert, "channel": channel, "body": body}
            session.execute(insert(AlertDelivery).values(**row))


def take(session: Session, channel: str, limit_seconds: float) -> Delivery | None:
    """Take a message that is due, for so many seconds; None: there is none."""
    about = {"channel": channel, "held": limit_seconds + MARGIN_SECONDS}
    row = session.execute(TAKE, about).one_or_none()
    return None if row is None else Delivery(*row)


def delivered(session: Session, delivery: Delivery) -> None:
    """Note that it arrived."""
    _settle(session, delivery, due_at=None, delivered_at=func.now(), problem=None)


def failed(
    session: Session, delivery: Delivery, settings: AlertSettings, problem: str, *, final: bool
) -> float | None:
    """Note that it did not; return the seconds until it is tried again, None: it is not."""
    if final or delivery.age >= settings.give_up_seconds:
        _settle(session, delivery, due_at=None, problem=problem)
        return None
    wait = min(settings.retry_seconds * 2.0 ** min(delivery.attempts - 1, 30), LAST_RETRY_SECONDS)
    due = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, wait)
    _settle(session, delivery, due_at=due, problem=problem)
    return wait


def _settle(session: Session, delivery: Delivery, **values: object) -> None:
    session.execute(update(AlertDelivery).where(AlertDelivery.id == delivery.id).values(**values))
