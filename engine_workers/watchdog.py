"""Decides when an engine has to stop, and ends its process when it does not."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import structlog

from engine_workers.errors import TimeLimitError

if TYPE_CHECKING:
    from schemas.settings import LimitSettings

log = structlog.get_logger("engine_workers")


class Watchdog:
    """Remembers why the engine has to stop and how long it still has."""

    def __init__(self, limits: LimitSettings, grace_seconds: float) -> None:
        """Start the clock; until the audio's length is known, the base limit counts alone."""
        self._limits = limits
        self._grace_seconds = grace_seconds
        self._began = time.monotonic()
        self._allowed = limits.base_seconds
        self._barked: float | None = None
        #: Why the engine has to stop; None while it may go on.
        self.reason: Exception | None = None

    def has_decoded(self, audio_seconds: float) -> None:
        """Allow the time that a recording of this length may take."""
        self._allowed = self._limits.base_seconds + audio_seconds * self._limits.per_audio_second

    def stop(self, reason: Exception) -> None:
        """Tell the engine to stop, the first reason counts; from now on its grace runs out."""
        if self.reason is None:
            self.reason, self._barked = reason, time.monotonic()

    def look(self) -> None:
        """Stop the engine when its time is up."""
        if self.reason is None and time.monotonic() - self._began > self._allowed:
            message = f"the engine took longer than the {self._allowed:.0f} s that it may"
            self.stop(TimeLimitError(message))

    @property
    def out_of_patience(self) -> bool:
        """Whether the engine was told to stop and has not in all its grace."""
        return self._barked is not None and time.monotonic() - self._barked > self._grace_seconds


def kill_this_process() -> None:
    """End this pool child at once, with its model and its memory; its worker starts another.

    Native code that ignores us cannot be stopped in any other way.
    """
    log.error("killing_this_process")
    os.kill(os.getpid(), signal.SIGKILL)
