"""Watches in the background of a coordinator, whatever its own loop hangs in."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from coordinator.alerts.delivering import Couriers
from coordinator.alerts.evaluating import evaluate, take_lock, write_down
from coordinator.alerts.measuring import Measuring, learn
from schemas.database import Database
from schemas.errors import LedgerError
from schemas.health import Pulse

if TYPE_CHECKING:
    from schemas.live_settings import LiveSettings

#: Seconds between two looks whether anything is to be watched again.
IDLE_SECONDS = 5.0
#: Seconds that one look may take before the watch counts as stuck.
LOOK_SECONDS = 120.0

log = structlog.get_logger("coordinator")


class AlertWatch:
    """Looks every so often; of several coordinators one at a time changes the alerts.

    It has a thread and connections of its own: what keeps the coordinator from working, a broker
    that hangs for instance, has to be told of all the same.
    """

    def __init__(self, live: LiveSettings, node: str, pulse: Pulse | None = None) -> None:
        """Prepare; `start` begins.

        Args:
            live: the settings.
            node: what this machine is called.
            pulse: told of each look.
        """
        self._live = live
        # One connection for each of its threads.
        self._database = Database(live.now, pool_size=4)
        self._measuring = Measuring(node)
        self._couriers = Couriers(self._database, live)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._pulse = pulse or Pulse()

    def start(self) -> None:
        """Begin to watch."""
        self._couriers.start()
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        self._couriers.stop()
        if self._thread.is_alive():
            self._thread.join(IDLE_SECONDS)
        self._database.dispose()

    def look(self) -> None:
        """Look once.

        Raises:
            LedgerError: the database does not answer.
        """
        settings = self._live.now
        with self._database.transaction() as session:
            if take_lock(session):
                learn(session)
        readings = self._measuring.read(self._database, settings)
        with self._database.transaction() as session:
            told = evaluate(session, settings.alerts, readings) if take_lock(session) else []
        write_down(told)
        if told:
            self._couriers.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            every = self._live.now.alerts.every_seconds
            began = time.monotonic()
            self._pulse.beat("alerts", LOOK_SECONDS + every)
            if every:
                self._look_safely()
            wait = every - (time.monotonic() - began) if every else IDLE_SECONDS
            self._stopping.wait(max(0.0, wait))

    def _look_safely(self) -> None:
        try:
            self.look()
        except LedgerError as error:
            log.warning("alerts_not_looked_at", error=str(error))
        except Exception:  # the next look may go better
            log.exception("alerts_not_looked_at")
