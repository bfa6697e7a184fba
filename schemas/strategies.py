"""Which merge strategies are installed here."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from schemas.names import GROUP_STRATEGIES

#: The strategy of every job, where the configuration names no other.
DEFAULT_STRATEGY: Final = "learned"


def strategy_names() -> tuple[str, ...]:
    """Return the names of all installed strategies, in order."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP_STRATEGIES)}))


def installed_strategy(name: str) -> str:
    """Return the name, if a strategy is called so.

    Raises:
        ValueError: none is; the message lists those that are there.
    """
    known = strategy_names()
    if name not in known:
        message = f"there is no such merge strategy; there are {', '.join(known)}"
        raise ValueError(message)
    return name
