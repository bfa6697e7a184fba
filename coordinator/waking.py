"""Wakes the coordinator: by a notification, by a clock, by a signal."""

from __future__ import annotations

import os
import select
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from schemas.names import CHANNEL_CONFIGURATION, CHANNEL_FREED, CHANNEL_WORK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import psycopg

    from schemas.database import Database

#: Seconds for which places that fall free are gathered, while nothing else is heard. The spare
#: places of a window hold a second of work, so that no worker waits meanwhile; where there are
#: none, a run takes so long that this does not matter.
GATHER_SECONDS = 0.2


class Bell:
    """Ends a wait at once when it is rung, from a signal handler too."""

    def __init__(self) -> None:
        """Make it; `close` gives its two file descriptors back."""
        self.read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def ring(self) -> None:
        """End this wait, and every later one."""
        os.write(self._write, b"\0")

    def wait(self, seconds: float) -> None:
        """Wait so many seconds, or until it is rung."""
        select.select([self.read], [], [], seconds)

    def close(self) -> None:
        """Give back what it holds."""
        os.close(self.read)
        os.close(self._write)


class Ears:
    """Hears what the ledger tells coordinators.

    Places that fall free are told on a connection of their own: while they are gathered, each
    would wake the coordinator for nothing.
    """

    def __init__(
        self, bell: Bell, work: psycopg.Connection[Any], freed: psycopg.Connection[Any]
    ) -> None:
        """Hear by two connections, which LISTEN already."""
        self._bell, self._work, self._freed = bell, work, freed

    def wait(self, seconds: float) -> set[str]:
        """Wait for a notification, for so many seconds at most; return what was told."""
        urgent: list[Any] = [self._bell.read, self._work]
        ready, _, _ = select.select([*urgent, self._freed], [], [], seconds)
        if ready == [self._freed]:
            select.select(urgent, [], [], min(seconds, GATHER_SECONDS))
        for _note in self._freed.notifies(timeout=0):
            pass
        return {note.payload for note in self._work.notifies(timeout=0)}


@contextmanager
def listening(database: Database, bell: Bell) -> Iterator[Ears]:
    """Open ears.

    Raises:
        LedgerError: the server cannot be reached.
    """
    with (
        database.listen(CHANNEL_WORK, CHANNEL_CONFIGURATION) as work,
        database.listen(CHANNEL_FREED) as freed,
    ):
        yield Ears(bell, work, freed)


def job_ids(payloads: Iterable[str]) -> set[UUID]:
    """Return the jobs that were named; what says something else is left out."""
    return set(filter(None, map(_as_id, payloads)))


def _as_id(payload: str) -> UUID | None:
    try:
        return UUID(payload)
    except ValueError:
        return None
