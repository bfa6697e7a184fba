"""Tells a leak from a step: how fast something grows that grew all the time."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final

#: Parts of the window, in each of which the least value has to be above that of the part before.
PARTS: Final = 4
#: Samples kept of a window.
MOST_SAMPLES: Final = 240
SECONDS_PER_HOUR: Final = 3600.0


class Growth:
    """Samples of one thing's size over a window of time.

    A process that loads a model, or takes a long recording, grows by a step and stays there. What
    leaks grows in every part of the window, even from one low to the next. The rate is that of
    the part which grew least, so that one step counts for nothing.
    """

    def __init__(self, window_seconds: float) -> None:
        """Begin without samples."""
        self._window = window_seconds
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, at: float, size: float) -> None:
        """Take a sample; `at` is in seconds by one clock, whose time only grows."""
        if self._samples and at - self._samples[-1][0] < self._window / MOST_SAMPLES:
            return
        self._samples.append((at, size))
        while self._samples[0][0] < at - self._window:
            self._samples.popleft()

    def last(self) -> float:
        """Return when the last sample was taken."""
        return self._samples[-1][0]

    def per_hour(self) -> float | None:
        """Return how much it grows in an hour; None before the window is full."""
        first, last = self._samples[0][0], self._samples[-1][0]
        part = self._window / PARTS
        if last - first < self._window * (1 - 1 / MOST_SAMPLES) - part / PARTS:
            return None
        lows: list[float | None] = [None] * PARTS
        for at, size in self._samples:
            place = PARTS - 1 - min(PARTS - 1, int((last - at) / part))
            low = lows[place]
            lows[place] = size if low is None else min(low, size)
        known = [low for low in lows if low is not None]
        if len(known) < PARTS:
            return None
        least = min(after - before for before, after in pairwise(known))
        return max(0.0, least) * SECONDS_PER_HOUR / part
