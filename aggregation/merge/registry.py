"""Finds merge strategies by name, ours and those of installed packages."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from aggregation.errors import UnknownStrategyError
from aggregation.merge.context import Strategy
from schemas.names import GROUP_STRATEGIES

#: The strategy of every job that asks for none.
DEFAULT_STRATEGY = "learned"


def strategy_names() -> tuple[str, ...]:
    """Return the names of all installed strategies, in order."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP_STRATEGIES)}))


@cache
def load_strategy(name: str) -> Strategy:
    """Load one strategy.

    Raises:
        UnknownStrategyError: none has this name; the message lists those that are there.
    """
    for point in entry_points(group=GROUP_STRATEGIES, name=name):
        strategy: Strategy = point.load()
        return strategy
    message = f"no merge strategy '{name}': there are {', '.join(strategy_names())}"
    raise UnknownStrategyError(message)
