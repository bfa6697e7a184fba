"""Keeps the engine that this process has loaded."""

from __future__ import annotations

import logging
import sys
from contextlib import redirect_stdout
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


class LoadedEngine:
    """At most one loaded engine: a second model would not fit beside the first."""

    def __init__(self) -> None:
        """Load nothing yet: a pool's children load after the fork."""
        self._engine: Engine | None = None
        self._key: Hashable = None

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
        with redirect_stdout(sys.stderr):
            engine.load()
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
