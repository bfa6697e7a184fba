"""The first process of a pool, a Celery worker: started, heard, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from engine_workers.node.processes import identity, kill_session
from engine_workers.pool_worker import READY, TIE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine_workers.pools import Launch, Placement

#: Bytes that are read of a tie at a time: a minute of signs of life.
TIE_BYTES = 64


class PoolProcess:
    """A worker process with what it was started for; it leads a session of its own."""

    def __init__(
        self, launch: Launch, placement: Placement, asked: tuple[int, int], now: float
    ) -> None:
        """Start it.

        Args:
            launch: its command line and environment.
            placement: what that came from.
            asked: the slots and the generation that were wanted.
            now: by the monotonic clock, in seconds.

        Raises:
            OSError: its program cannot be executed.
        """
        self.placement = placement
        self.asked = asked
        self.started = self.heard = now
        #: Whether its children have started.
        self.ready = False
        #: Since when it is told to end, and how long it has.
        self.told: float | None = None
        self.patience = 0.0
        #: Why it was given up, if it was.
        self.fault: str | None = None
        self.tie, theirs = os.pipe()
        os.set_blocking(self.tie, False)  # its only form
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own command line
                launch.argv,
                stdin=subprocess.DEVNULL,
                env=_environ(launch.env, theirs),
                pass_fds=[theirs],
                start_new_session=True,
            )
        except OSError:
            os.close(self.tie)
            raise
        finally:
            os.close(theirs)
        self.pid = self._process.pid
        self.identity = identity(self.pid) or ""

    def listen(self, now: float) -> None:
        """Take note of its signs of life."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self.tie, TIE_BYTES):
                self.heard = now
                self.ready = self.ready or READY in said

    def end(self, patience: float, now: float) -> None:
        """Ask it to take nothing more, and to end with its runs, within `patience` seconds.

        That is Celery's warm shutdown. A soft one, which has its own clock, ends late: it sleeps
        all its time even when the runs have finished.
        """
        self.told, self.patience = now, patience
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it with all its children at once."""
        self._process.kill()
        kill_session(self.pid)

    def status(self) -> str | None:
        """Return how it ended; None while it lives."""
        code = self._process.poll()
        if code is None:
            return None
        return f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit {code}"

    def bury(self) -> None:
        """End what is left in its session of a process that has ended."""
        kill_session(self.pid)
        os.close(self.tie)


def _environ(more: Mapping[str, str], tie: int) -> dict[str, str]:
    # With REMAP_SIGTERM no signal would wait for all runs.
    ours = {name: value for name, value in os.environ.items() if name != "REMAP_SIGTERM"}
    return {**ours, **more, TIE_VARIABLE: str(tie)}
