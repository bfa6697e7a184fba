"""Delivers messages, each channel in a thread of its own: one that hangs delays no other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from coordinator.alerts.channels import command, email, webhook
from coordinator.alerts.outbox import (
    CHANNELS,
    COMMAND,
    EMAIL,
    WEBHOOK,
    configured,
    delivered,
    failed,
    take,
)
from coordinator.errors import DeliveryError
from schemas.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.alerts.outbox import Delivery
    from coordinator.alerts.telling import AlertMessage
    from schemas.alert_settings import AlertSettings
    from schemas.database import Database
    from schemas.live_settings import LiveSettings

#: Seconds between two looks for messages whose next attempt is due.
LOOK_SECONDS = 2.0
#: Seconds that a thread is waited for at the end; what it was delivering is delivered again later.
END_SECONDS = 1.0

log = structlog.get_logger("coordinator")


def send(settings: AlertSettings, channel: str, body: Mapping[str, Any], number: str) -> None:
    """Send a message by a channel.

    Raises:
        DeliveryError: it did not arrive, as far as one can know.
    """
    if channel == WEBHOOK:
        webhook.post(settings.webhook, body, number)
    elif channel == EMAIL:
        email.mail(settings.email, body, number)
    elif channel == COMMAND:
        command.run(settings.command, body, number)


def try_channels(settings: AlertSettings, message: AlertMessage) -> dict[str, str | None]:
    """Send a message by every configured channel now; return each one's problem, None: none."""
    found: dict[str, str | None] = {}
    for channel, _ in configured(settings):
        try:
            send(settings, channel, message.model_dump(mode="json"), str(uuid4()))
        except DeliveryError as error:
            found[channel] = str(error)
        else:
            found[channel] = None
    return found


class Couriers:
    """The threads that deliver, one a channel."""

    def __init__(self, database: Database, live: LiveSettings) -> None:
        """Prepare; `start` begins."""
        self._database = database
        self._live = live
        self._stopping = threading.Event()
        self._wakes = {channel: threading.Event() for channel in CHANNELS}
        self._threads = [
            threading.Thread(target=self._run, args=(it,), name=f"alerts-{it}", daemon=True)
            for it in CHANNELS
        ]

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Deliver no more."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(END_SECONDS)

    def wake(self) -> None:
        """Have the threads look at once: there is something new."""
        for event in self._wakes.values():
            event.set()

    def _run(self, channel: str) -> None:
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and self.deliver(channel):
                    pass
            except LedgerError as error:
                log.warning("alerts_wait", channel=channel, error=str(error))
            except Exception:  # the next message may go better
                log.exception("alert_not_delivered", channel=channel)
            self._wakes[channel].wait(LOOK_SECONDS)
            self._wakes[channel].clear()

    def deliver(self, channel: str) -> bool:
        """Deliver one message that is due, if there is one; return whether there was.

        Raises:
            LedgerError: the database does not answer.
        """
        settings = self._live.now.alerts
        how = dict(configured(settings)).get(channel)
        if how is None:
            return False
        with self._database.transaction() as session:
            delivery = take(session, channel, how.timeout_seconds)
        if delivery is None:
            return False
        try:
            send(settings, channel, delivery.body, str(delivery.id))
        except DeliveryError as error:
            self._note_failure(delivery, settings, error)
        else:
            with self._database.transaction() as session:
                delivered(session, delivery)
        return True

    def _note_failure(
        self, delivery: Delivery, settings: AlertSettings, error: DeliveryError
    ) -> None:
        with self._database.transaction() as session:
            wait = failed(session, delivery, settings, str(error), final=error.final)
        log.log(
            30 if wait is not None else 40,
            "alert_not_delivered",
            channel=delivery.channel,
            rule=delivery.body["rule"],
            attempt=delivery.attempts,
            error=str(error),
            retry_seconds=wait,
        )
