"""Finds merge strategies by name, ours and those of installed packages."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from aggregation.errors import UnknownStrategyError
from aggregation.merge.context import Strategy
from schemas.names import GROUP_STRATEGIES
from schemas.strategies import DEFAULT_STRATEGY, strategy_names

__all__ = ["DEFAULT_STRATEGY", "load_strategy", "strategy_names"]


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
