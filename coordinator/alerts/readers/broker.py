"""Reads whether the broker answers, and how full its memory is."""

from __future__ import annotations

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
    """Remembers when the broker answered last."""

    def __init__(self) -> None:
        """Let it have answered just now."""
        self._answered = time.monotonic()

    def read(self, scene: Scene, readings: Readings) -> None:
        """Ask it how much memory it uses; that nobody answers is a reading, too."""
        memory = ask_memory(scene.settings)
        if memory is not None:
            self._answered = time.monotonic()
            readings.put("broker_memory_share", {ALONE: memory_share(memory)})
        silent = time.monotonic() - self._answered if memory is None else 0.0
        readings.put("broker_silent_seconds", {ALONE: silent})


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
