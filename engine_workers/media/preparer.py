"""Takes one recording's preparation from its message to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from engine_workers.errors import StaleLeaseError
from engine_workers.failures import failure_of, told_to_end
from engine_workers.media import lease as leases
from engine_workers.media.child import Report
from engine_workers.media.sandbox import known, prepare
from schemas.errors import LedgerError
from schemas.media import MediaState
from schemas.media_store import open_store
from schemas.runs import Failure

if TYPE_CHECKING:
    from engine_workers.media.lease import MediaLease
    from schemas.audio import Prepared
    from schemas.database import Database
    from schemas.media import MediaMessage
    from schemas.settings import Settings

#: Seconds between two reports of progress to the ledger.
PROGRESS_SECONDS = 2.0

log = structlog.get_logger("engine_workers")


@dataclass
class Preparer:
    """What one process needs to prepare recordings, one after another."""

    settings: Settings
    database: Database

    def run(self, message: MediaMessage, owner: str) -> MediaState:
        """Prepare the recording; whatever is in it, what became of it is stored and returned.

        Raises:
            NotClaimableError: there is nothing to do here now.
            StaleLeaseError: another worker took it over meanwhile.
            LedgerError: the database does not answer.
        """
        seconds = self.settings.leases.lease_seconds
        lease = leases.claim(self.database, message.sha256, owner, seconds)
        answer = self._answer(lease)
        if isinstance(answer, Failure):
            log.warning("not_prepared", kind=answer.kind.value, error=answer.message)
            return leases.fail(self.database, lease, answer)
        leases.save(self.database, lease, answer)
        log.info("prepared", seconds=answer.info.seconds, speech=round(answer.speech.seconds, 1))
        return MediaState.READY

    def _answer(self, lease: MediaLease) -> Prepared | Failure:
        beat = Beat(self.database, lease, self.settings.leases.heartbeat_seconds)
        try:
            store = open_store(self.settings)
            found = known(lease.audio, store, lambda: beat.watch(Report()))
            return found or prepare(lease.audio, self.settings, beat.watch, f"a{lease.attempt}")
        except StaleLeaseError:
            raise
        except (Exception, SystemExit) as error:
            if told_to_end(error):
                leases.give_back(self.database, lease)
                raise
            return failure_of(error)


@dataclass
class Beat:
    """Renews a lease while another process works; a ledger that is away is asked again."""

    database: Database
    lease: MediaLease
    every_seconds: float
    _told: tuple[float | None, float] = (None, 0.0)
    _at: float = field(default_factory=time.monotonic)

    def watch(self, report: Report) -> None:
        """Renew the lease when it is time to, sooner when there is progress to tell.

        Raises:
            StaleLeaseError: another worker has it by now.
        """
        progress = (report.seconds, report.done_seconds)
        wait = PROGRESS_SECONDS if progress != self._told else self.every_seconds
        if time.monotonic() - self._at < min(wait, self.every_seconds):
            return
        try:
            leases.renew(
                self.database, self.lease, done_seconds=report.done_seconds, seconds=report.seconds
            )
        except LedgerError as error:
            log.warning("heartbeat_failed", error=str(error))
        self._told, self._at = progress, time.monotonic()
