"""Tells which files of a folder have stopped growing."""

from __future__ import annotations

import stat
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

#: Files that were taken and are remembered; of others the ledger knows.
REMEMBERED = 100_000

#: Size in bytes with the time of the last change in nanoseconds.
Facts = tuple[int, int]


@dataclass
class Settling:
    """Files that may still be written to, each with the moment since which it is as it is."""

    #: Seconds without a change after which a file counts as whole.
    settle_seconds: float
    _waiting: dict[str, tuple[Facts, float]] = field(default_factory=dict)
    _taken: OrderedDict[str, Facts] = field(default_factory=OrderedDict)

    def note(self, path: str, now: float) -> None:
        """Look at a file; it has to settle from now on if it is new, or has changed.

        Args:
            path: the file; one that is gone, empty, or no regular file is not waited for.
            now: the moment by a clock that never goes back, in seconds.
        """
        facts = _facts(path)
        if facts is None or self._taken.get(path) == facts:
            self._waiting.pop(path, None)
        elif path not in self._waiting or self._waiting[path][0] != facts:
            self._waiting[path] = (facts, now)

    def settled(self, now: float) -> list[str]:
        """Return the files that have not changed for long enough, by name; each is looked at."""
        for path, (_, since) in list(self._waiting.items()):
            if now - since >= self.settle_seconds:
                self.note(path, now)
        return sorted(
            path for path, (_, since) in self._waiting.items() if now - since >= self.settle_seconds
        )

    def take(self, paths: list[str]) -> None:
        """Wait for these no longer, unless they change."""
        for path in paths:
            facts, _ = self._waiting.pop(path)
            self._taken[path] = facts
            self._taken.move_to_end(path)
        while len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)

    def put_off(self, paths: list[str], now: float) -> None:
        """Have these settle once more."""
        for path in paths:
            facts, _ = self._waiting[path]
            self._waiting[path] = (facts, now)


def _facts(path: str) -> Facts | None:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        return None
    return found.st_size, found.st_mtime_ns
