"""Values of metrics as they were read at one moment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from schemas.alert_rules import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What tells one thing from others of its metric, such as `(("engine", "fake"),)`.
Labels = tuple[tuple[str, str], ...]
#: The labels where there is one thing alone.
ALONE: Final[Labels] = ()


def labels(**values: str) -> Labels:
    """Return labels in their one order."""
    return tuple(sorted(values.items()))


def series_of(of: Labels) -> str:
    """Return labels as text."""
    return ",".join(f"{name}={value}" for name, value in of)


class Readings:
    """What was read. Of a metric that could not be read nothing is known: it is not in here."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._values: dict[str, dict[Labels, float]] = {}
        self._unknown: dict[str, set[str]] = {}

    def put(self, metric: str, values: Mapping[Labels, float]) -> None:
        """Note what was read of a metric; of what is no finite number nothing is known.

        Raises:
            KeyError: there is no such metric.
        """
        METRICS[metric]
        finite = {of: float(value) for of, value in values.items() if math.isfinite(value)}
        self._values[metric] = finite
        self._unknown[metric] = {series_of(of) for of in values if of not in finite}

    def of(self, metric: str) -> Mapping[Labels, float] | None:
        """Return the values of a metric; None where it could not be read."""
        return self._values.get(metric)

    def is_unknown(self, metric: str, series: str) -> bool:
        """Whether there is such a thing, but what was read of it is no number."""
        return metric not in self._values or series in self._unknown[metric]

    def all(self) -> Mapping[str, Mapping[Labels, float]]:
        """Return all values by metric."""
        return self._values
