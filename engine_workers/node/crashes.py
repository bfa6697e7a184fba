"""Decides when a crashed pool is started again, or that it is not."""

from __future__ import annotations

from collections import deque

#: So many crashes within so many seconds, and a pool is given up.
MAX_CRASHES, CRASH_WINDOW_SECONDS = 5, 300.0


class Crashes:
    """The crashes of one pool."""

    def __init__(self, first_seconds: float, last_seconds: float) -> None:
        """Know of none; waits begin with `first_seconds`, double, and end at `last_seconds`."""
        self._first, self._last = first_seconds, last_seconds
        self._at: deque[float] = deque(maxlen=MAX_CRASHES)

    def forget(self) -> None:
        """Begin anew: somebody has looked after it."""
        self._at.clear()

    def another(self, now: float) -> float | None:
        """Count one; return the seconds until the next start, None when it is given up."""
        self._at.append(now)
        recent = sum(at > now - CRASH_WINDOW_SECONDS for at in self._at)
        if recent >= MAX_CRASHES:
            return None
        return float(min(self._first * 2 ** (recent - 1), self._last))
