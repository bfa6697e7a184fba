"""Ends this process when its Python code can no longer run, for native code holds Python's lock."""

from __future__ import annotations

import faulthandler
from typing import TYPE_CHECKING, Self

from engine_workers.ticker import Ticker

if TYPE_CHECKING:
    from types import TracebackType

#: The file of the log; Celery replaces sys.stderr by something that is no file.
STDERR = 2
#: Seconds between two signs of life at most, and how many have to be missed at least.
SIGN_SECONDS, MISSED = 1.0, 4

#: It waits for nobody: not for the ledger either.
_ticker = Ticker("signs-of-life")


class SignsOfLife:
    """While the block runs, lets the process end unless a thread of it gets its turn.

    No thread renews a lease, and no watchdog looks at its clock, while native code holds the
    interpreter's lock. What ends the process then is a thread in C, which needs no lock; before,
    it writes into the log where each thread stands. The worker sees the death, and goes on.

    These signs do not wait for the ledger, as heartbeats do: one that is away ends nothing.
    """

    def __init__(self, seconds: float) -> None:
        """Prepare to end after so many seconds without a sign."""
        self._seconds = seconds

    def __enter__(self) -> Self:
        """Begin."""
        self._give()
        _ticker.add(self._give, min(SIGN_SECONDS, self._seconds / MISSED))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the process live on without signs."""
        _ticker.remove(self._give)
        faulthandler.cancel_dump_traceback_later()

    def _give(self) -> None:
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=STDERR)
