"""Looks at the configuration file in the background of a service."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from schemas.live_settings import LOOK_SECONDS, SETTLE_SECONDS, LiveSettings

#: Milliseconds: how often the kernel's notes are gathered, how long one waits for none.
STEP_MS, TIMEOUT_MS = 200, 1000

log = logging.getLogger("chordscribe.configuration")


class Follower:
    """A thread that keeps settings, with the level of this process's log, up to date."""

    def __init__(
        self,
        live: LiveSettings,
        *,
        told: bool = False,
        also: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            live: the settings.
            told: whether the kernel tells of changes; else the file is just looked at. Either way
                it is once a second, as a file on another machine changes without a word.
            also: done after each look.
        """
        self._live = live
        self._told = told
        self._also = also
        self._level = live.now.monitoring.log_level
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="configuration", daemon=True)

    def start(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self._look()
        for changed in self._wakes():
            self._look()
            if changed and not self._stopping.wait(SETTLE_SECONDS):
                self._look()

    def _look(self) -> None:
        try:
            self._live.look()
            level = self._live.now.monitoring.log_level
            if level != self._level:
                self._level = level
                logging.getLogger().setLevel(level)
            self._also()
        except Exception:  # the next look may go better
            log.exception("the configuration was not looked at")

    def _wakes(self) -> Iterator[bool]:
        """Yield whenever it is time to look: whether something has changed."""
        if self._told and self._live.file is not None:
            try:
                yield from self._notes(self._live.file.parent)
            except (OSError, RuntimeError) as error:  # the kernel has no watch left, for instance
                log.warning("the kernel does not tell of the configuration: %s", error)
        while not self._stopping.wait(LOOK_SECONDS):
            yield False

    def _notes(self, folder: Path) -> Iterator[bool]:
        from watchfiles import watch  # noqa: PLC0415  # few processes need it

        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every change
        for changes in watch(
            folder,
            watch_filter=None,
            debounce=2 * STEP_MS,
            step=STEP_MS,
            rust_timeout=TIMEOUT_MS,
            yield_on_timeout=True,
            stop_event=self._stopping,
            raise_interrupt=False,
            recursive=False,
        ):
            yield bool(changes)
