"""Calls something again and again in the background, in one thread for the whole process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger("engine_workers")


class Ticker:
    """A thread that lives on between runs: to start one for each costs as much as a short run.

    It begins with the first step that is added, also after a fork, and sleeps while there is none.
    """

    def __init__(self, name: str) -> None:
        """Prepare a thread of that name."""
        self._name = name
        self._changed = threading.Condition()
        self._every: dict[Callable[[], None], float] = {}
        #: The step that is under way.
        self._under_way: Callable[[], None] | None = None
        #: Seconds that the thread sleeps now; None: until something is added.
        self._sleeps: float | None = None
        self._thread: threading.Thread | None = None

    def add(self, step: Callable[[], None], every_seconds: float) -> None:
        """Call `step` at least every so many seconds, with all others that were added."""
        with self._changed:
            self._every[step] = every_seconds
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif self._sleeps is None or every_seconds < self._sleeps:
                self._changed.notify_all()

    def remove(self, step: Callable[[], None]) -> None:
        """Call it no more; return when a call that is under way has ended."""
        with self._changed:
            self._every.pop(step, None)
            if threading.current_thread() is not self._thread:
                self._changed.wait_for(lambda: self._under_way != step)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._sleeps = min(self._every.values(), default=None)
                if self._changed.wait(self._sleeps):
                    continue  # something was added that is to be called sooner
                steps = list(self._every)
            for step in steps:
                self._call(step)

    def _call(self, step: Callable[[], None]) -> None:
        with self._changed:
            if step not in self._every:
                return
            self._under_way = step
        try:
            step()
        except Exception:  # the other steps go on
            log.exception("tick_failed", ticker=self._name)
        finally:
            with self._changed:
                self._under_way = None
                self._changed.notify_all()
