"""A running median of one quantity, with its 90th percentile, with how far it is off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

#: The quantiles that are kept.
MEDIAN, HIGH = 0.5, 0.9
#: A quantile moves by this share of itself at the first samples, then less and less; at least by
#: the second share, so that it follows a change.
FIRST_STEP, LAST_STEP = 1.0, 0.05
#: The least and the most error that is told apart from none, from any more; logarithms.
LEAST_ERROR, MOST_ERROR = 1e-3, 10.0


class Key(NamedTuple):
    """What is measured of whom: see `Measure`, whose columns these are."""

    kind: str
    name: str
    device: str = ""
    model: str = ""


@dataclass(slots=True)
class Quantiles:
    """What is known of a quantity that is above 0."""

    median: float
    high: float
    samples: int = 1
    #: The running median of |log(measured / expected)|.
    error: float = 0.0

    def learn(self, value: float, expected: float | None = None) -> None:
        """Move towards a new sample: stochastic approximation on the logarithm.

        H. Robbins, S. Monro, A Stochastic Approximation Method, 1951.

        Args:
            value: what was measured.
            expected: what had been expected; None: the median so far.
        """
        self.samples += 1
        step = max(LAST_STEP, FIRST_STEP / self.samples)
        wrong = distance(value, self.median if expected is None else expected)
        self.error = _moved(self.error or LEAST_ERROR, wrong, MEDIAN, step)
        self.median = _moved(self.median, value, MEDIAN, step)
        self.high = max(self.median, _moved(self.high, value, HIGH, step))


def first(value: float, expected: float) -> Quantiles:
    """Return what one sample tells of a quantity of which nothing was known."""
    return Quantiles(value, value, 1, distance(value, expected))


def distance(value: float, expected: float) -> float:
    """Return how far a value is from what was expected, as a logarithm without its sign."""
    return min(MOST_ERROR, max(LEAST_ERROR, abs(math.log(value) - math.log(expected))))


def _moved(old: float, value: float, quantile: float, step: float) -> float:
    if value == old:
        return old
    pull = quantile if value > old else quantile - 1.0
    return old * math.exp(2 * step * pull)
