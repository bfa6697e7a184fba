"""Reads whether the broker answers, and how full its memory is."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from kombu import Connection
from kombu.exceptions import OperationalError

from coordinator.alerts.readings import ALONE

if TYPE_CHECKING:
    from coordinator.alerts.readers.scene import Scene
    from coordinator.alerts.readings import Readings
    from schemas.settings import Settings

#: Seconds to wait for an answer.
ANSWER_SECONDS = 2.0


class BrokerReader:
    """Remembers when the broker answered last.

    The question is asked in a thread of its own: the library asks several times, each with a limit
    of its own, and the other readers do not wait for that.
    """

    def __init__(self) -> None:
        """Let it have answered just now."""
        self._answered = time.monotonic()
        self._asking: threading.Thread | None = None
        self._memory: dict[str, Any] | None = None

    def read(self, scene: Scene, readings: Readings) -> None:
        """Ask it how much memory it uses; that nobody answers is a reading, too."""
        memory = self._ask(scene.settings)
        if memory is not None:
            self._answered = time.monotonic()
            readings.put("broker_memory_share", {ALONE: memory_share(memory)})
        silent = time.monotonic() - self._answered if memory is None else 0.0
        readings.put("broker_silent_seconds", {ALONE: silent})

    def _ask(self, settings: Settings) -> dict[str, Any] | None:
        if self._asking is None:
            self._memory = None
            self._asking = threading.Thread(target=self._run, args=(settings,), daemon=True)
            self._asking.start()
        self._asking.join(ANSWER_SECONDS)
        if self._asking.is_alive():
            return None
        self._asking = None
        return self._memory

    def _run(self, settings: Settings) -> None:
        self._memory = ask_memory(settings)


def ask_memory(settings: Settings) -> dict[str, Any] | None:
    """Return what the broker tells of its memory; None where it does not answer."""
    if settings.broker_url is None:
        return None
    limits = {
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "retry_on_timeout": False,
    }
    url = settings.broker_url.get_secret_value()
    try:
        with Connection(url, connect_timeout=ANSWER_SECONDS, transport_options=limits) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=ANSWER_SECONDS)
            told: dict[str, Any] = broker.default_channel.client.info("memory")
    except (OperationalError, *Connection(url).connection_errors):
        return None
    return told


def memory_share(told: dict[str, Any]) -> float:
    """Return the share of its limit that it uses; without a limit, of its machine's memory."""
    used = float(told.get("used_memory", 0))
    limit = float(told.get("maxmemory", 0) or 0) or float(told.get("total_system_memory", 0) or 0)
    return used / limit if limit else 0.0
