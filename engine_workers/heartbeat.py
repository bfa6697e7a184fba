"""Keeps a lease alive in the background, while the engine is busy in native code."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine_workers.claim import tell
from engine_workers.errors import CancelledError, RunError, StaleLeaseError
from engine_workers.lease import is_wanted, renew, save_failure
from engine_workers.ticker import Ticker
from engine_workers.watchdog import Watchdog, kill_this_process
from schemas.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from engine_workers.claim import Lease
    from engine_workers.heard_on import HeardOn
    from schemas.database import Database

#: Seconds between two progress reports: each costs the ledger a write.
PROGRESS_SECONDS = 1.0
#: Seconds between two questions whether the job was cancelled, where no report told it.
ASK_SECONDS = 2.0

log = structlog.get_logger("engine_workers")
_ticker = Ticker("heartbeat")


@dataclass(frozen=True)
class _Progress:
    audio_seconds: float | None = None
    done_seconds: float = 0.0
    heard_on: HeardOn | None = None


class Heartbeat:
    """Renews the lease until the block ends; knows whether the work is still wanted.

    A ledger that does not answer is asked again each second. Should the lease run out meanwhile
    another worker may take the run, and the attempt's number then keeps this one from writing.

    An engine that does not stop although it has to is ended together with its process.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        every_seconds: float,
        watchdog: Watchdog,
        kill: Callable[[], None] = kill_this_process,
    ) -> None:
        """Prepare to renew `lease` every so many seconds, and at progress once a second."""
        self._database = database
        self._lease = lease
        self._every_seconds = every_seconds
        self._watchdog = watchdog
        self._kill = kill
        self._began = time.monotonic()
        self._progress = self._told = _Progress()
        self._beat_at = self._asked_at = self._began
        self._context = structlog.contextvars.get_contextvars()

    def __enter__(self) -> Self:
        """Begin."""
        _ticker.add(self._tick, min(PROGRESS_SECONDS, self._every_seconds))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, waiting for a renewal that is under way."""
        _ticker.remove(self._tick)

    def has_decoded(self, audio_seconds: float) -> None:
        """Let watchers know how long the recording is, and allow the engine its time."""
        self._watchdog.has_decoded(audio_seconds)
        self._progress = _Progress(audio_seconds)

    def has_loaded(self, heard_on: HeardOn) -> None:
        """Let watchers know what it is heard on: how long it will take depends on that."""
        self._progress = replace(self._progress, heard_on=heard_on)

    def has_heard(self, done_seconds: float) -> None:
        """Let watchers know how far the engine has come.

        Raises:
            CancelledError: the job was cancelled.
            TimeLimitError: the engine's time is up.
            StaleLeaseError: another worker has the run by now.
        """
        self._progress = replace(self._progress, done_seconds=done_seconds)
        self.check()

    def tell(self, kind: str, **data: object) -> None:
        """Add to the job's story; what the ledger does not take is left out."""
        try:
            with self._database.transaction() as session:
                tell(session, self._lease, kind, **data)
        except LedgerError as error:
            log.warning("event_not_stored", kind=kind, error=str(error))

    def check(self) -> None:
        """Do nothing while the work is wanted.

        Raises:
            CancelledError: the job was cancelled.
            TimeLimitError: the engine's time is up.
            StaleLeaseError: another worker has the run by now.
        """
        if self._watchdog.reason is not None:
            raise self._watchdog.reason

    def _tick(self) -> None:
        with structlog.contextvars.bound_contextvars(**self._context):
            self._watchdog.look()
            try:
                self._beat()
            except StaleLeaseError as error:
                self._watchdog.stop(error)
            except (LedgerError, SQLAlchemyError) as error:
                log.warning("heartbeat_failed", error=str(error))
            if self._watchdog.out_of_patience:
                _ticker.remove(self._tick)
                self._end_by_force()

    def _beat(self) -> None:
        """Renew the lease when it is time to, or ask whether the work is wanted, or do nothing."""
        progress, now = self._progress, time.monotonic()
        if isinstance(self._watchdog.reason, StaleLeaseError):
            return
        if progress != self._told or now - self._beat_at >= self._every_seconds:
            wanted = renew(
                self._database,
                self._lease,
                progress_seconds=progress.done_seconds,
                audio_seconds=progress.audio_seconds,
                notify_watchers=progress != self._told,
                heard_on=progress.heard_on,
            )
            self._told, self._beat_at, self._asked_at = progress, now, now
        elif now - self._asked_at >= ASK_SECONDS:
            wanted = is_wanted(self._database, self._lease)
            self._asked_at = now
        else:
            return
        if not wanted:
            self._watchdog.stop(CancelledError())

    def _end_by_force(self) -> None:
        """Store why the run ends, then end this process; the task never returns to its chord."""
        reason = self._watchdog.reason
        if isinstance(reason, RunError):
            took = time.monotonic() - self._began
            try:
                save_failure(self._database, self._lease, reason.failure, took, forced=True)
            except (StaleLeaseError, LedgerError, SQLAlchemyError) as error:
                log.warning("end_not_stored", error=str(error))
        self._kill()
