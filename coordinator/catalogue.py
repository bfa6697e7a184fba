"""Which engines there are to choose from on this machine."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from coordinator.errors import EngineNotInstalledError, NoEngineError, UnknownEngineError
from schemas.names import GROUP_CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.engines import EngineStatus
    from schemas.settings import Settings


def known_engines(settings: Settings) -> tuple[EngineStatus, ...] | None:
    """Return the engines that installed packages name; None on a machine without any."""
    providers = entry_points(group=GROUP_CATALOGUE)
    if not providers:
        return None
    return tuple(status for provider in providers for status in provider.load()(settings))


def choose_engines(settings: Settings, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the engines to ask: those `wanted`, or the configured or usable ones when none are.

    A machine without engine packages is a mere client: what it asks for is checked by name only.

    Raises:
        UnknownEngineError: no package names such an engine; the message has the nearest name.
        EngineNotInstalledError: its package lacks something, or is broken.
        NoEngineError: none was asked for, and none here can run.
    """
    known = known_engines(settings)
    asked = tuple(wanted) or settings.default_engines
    if not asked:
        usable = tuple(
            s.name for s in known or () if s.problem is None and s.by_default and not s.testing
        )
        if not usable:
            raise NoEngineError
        return usable
    if known is not None:
        for name in asked:
            _check(name, known)
    return asked


def _check(name: str, known: Sequence[EngineStatus]) -> None:
    by_name = {status.name: status for status in known}
    status = by_name.get(name)
    if status is None:
        nearest = get_close_matches(name, by_name, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        message = f"there is no engine '{name[:60]}'{hint} Known: {', '.join(sorted(by_name))}"
        raise UnknownEngineError(message)
    if not status.installed:
        message = f"the engine {name} cannot run here: {status.problem}"
        raise EngineNotInstalledError(message)
