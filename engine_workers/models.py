"""Keeps the engine that this process has loaded."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from engine_workers.catalogue import find_engine
from engine_workers.ease import eased
from engine_workers.options import engine_options

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from engine_workers.engines.base import Engine
    from engine_workers.store.places import Models
    from schemas.retries import Ease

log = logging.getLogger(__name__)


#: Told of a loaded engine and of the seconds that it took to load, and after each use.
Watcher = Callable[["Engine", float], None]


class LoadedEngine:
    """At most one loaded engine: a second model would not fit beside the first."""

    def __init__(self, idle_seconds: float | None = None, watcher: Watcher | None = None) -> None:
        """Load nothing yet: a pool's children load after the fork.

        Args:
            idle_seconds: after so long without use the engine is dropped; None keeps it.
            watcher: told of the engine after each use.
        """
        self._engine: Engine | None = None
        self._key: Hashable = None
        self._idle_seconds = idle_seconds
        self._watcher = watcher
        self._load_seconds = 0.0
        self._used = threading.Lock()
        self._timer: threading.Timer | None = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the engine while the block runs; let its idle time begin at the end."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            with self._used:
                yield
                self._tell()
        finally:
            if self._idle_seconds is not None:
                self._timer = threading.Timer(self._idle_seconds, self._drop_idle)
                self._timer.daemon = True
                self._timer.start()

    def get(
        self,
        name: str,
        configured: Mapping[str, Any],
        asked: Mapping[str, Any] | None = None,
        models: Models | None = None,
        *,
        steps: Iterable[Ease] = (),
    ) -> Engine:
        """Return the engine with these options, loaded; load it anew only when it must be.

        Args:
            name: the engine's.
            configured: options for all its runs.
            asked: options that override them.
            models: the models that a request may name; None leaves names as they are.
            steps: what is eased, because memory ran out before.

        Raises:
            NotInstalledError: it is not here, or broken.
            UnsupportedError: an option is wrong.
            Exception: whatever the engine's `load` raises.
        """
        held = self._engine
        kind = type(held) if held is not None and held.info.name == name else find_engine(name)
        options = eased(kind, engine_options(kind, configured, asked, models), steps)
        key = (name, *(getattr(options, option, None) for option in kind.info.load_options))
        if held is not None and key == self._key:
            held.options = options
            return held
        self.drop()
        if models is not None:
            models.verify(kind, options)
        engine = kind(options)
        began = time.monotonic()
        with redirect_stdout(sys.stderr):
            engine.load()
        self._load_seconds = time.monotonic() - began
        log.info("loaded %s %s with the model %s", name, engine.version, engine.model)
        self._engine, self._key = engine, key
        return engine

    def drop(self) -> None:
        """Close the engine, if one is loaded."""
        engine, self._engine, self._key = self._engine, None, None
        if engine is None:
            return
        try:
            engine.close()
        except Exception:  # an engine's own code
            log.exception("the engine %s was not closed", engine.info.name)

    def _tell(self) -> None:
        """Let the watcher see the engine; what ails it there costs no run."""
        if self._engine is None or self._watcher is None:
            return
        try:
            self._watcher(self._engine, self._load_seconds)
        except Exception:  # an engine's own code, among others
            log.exception("the engine %s was not measured", self._engine.info.name)

    def _drop_idle(self) -> None:
        """Give the memory of an engine back that nobody uses."""
        timer = threading.current_thread()
        if not self._used.acquire(blocking=False):
            return
        try:
            if timer is self._timer and self._engine is not None:
                log.info("unloaded the idle engine %s", self._engine.info.name)
                self.drop()
                give_memory_back()
        finally:
            self._used.release()


def give_memory_back() -> None:
    """Return memory that Python and its libraries have freed to the system."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    # The C library of Linux keeps what was freed, until it is asked.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
