"""Takes one run from its message to its outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from engine_workers.claim import Lease, claim
from engine_workers.errors import RunError, StaleLeaseError
from engine_workers.failures import failure_of, told_to_end
from engine_workers.hear import hear
from engine_workers.heard_on import device_of
from engine_workers.heartbeat import Heartbeat
from engine_workers.lease import save_failure, save_transcript
from engine_workers.models import LoadedEngine
from engine_workers.reuse import Reused, find_heard, heard_by
from engine_workers.watchdog import Watchdog, kill_this_process
from schemas.errors import LedgerError
from schemas.runs import Failure, RunMessage, RunOutcome
from schemas.transcript import Transcript

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings

#: Seconds for which a finished answer is offered to a ledger that does not reply, the heartbeat
#: going on: longer than a restart, shorter than a person's patience.
SAVING_SECONDS = 300.0
#: Seconds between two offers.
OFFER_SECONDS = 1.0

log = structlog.get_logger("engine_workers")


@dataclass
class Worker:
    """What one process needs to work on runs, one after another."""

    settings: Settings
    database: Database
    loaded: LoadedEngine = field(default_factory=LoadedEngine)
    #: Ends the process whose engine does not stop.
    kill: Callable[[], None] = kill_this_process
    #: What surrounds a run; it is given the seconds that a lease lasts.
    guard: Callable[[float], AbstractContextManager[object]] = nullcontext

    def run(self, message: RunMessage, owner: str) -> RunOutcome:
        """Work on the run; whatever the engine does, an outcome is stored and returned.

        Raises:
            NotClaimableError: there is nothing to do here now.
            StaleLeaseError: another worker took the run over meanwhile.
            LedgerError: the database does not answer.
        """
        leases = self.settings.leases
        lease = claim(self.database, message, owner, leases.lease_seconds)
        if isinstance(lease, RunOutcome):
            return lease
        lease = replace(lease, device=device_of(lease.eases, self.settings))
        with (
            structlog.contextvars.bound_contextvars(engine=lease.engine, attempt=lease.attempt),
            self.guard(leases.lease_seconds),
            Heartbeat(
                self.database, lease, leases.heartbeat_seconds, self._watchdog(lease), self.kill
            ) as heartbeat,
        ):
            began = time.monotonic()
            by = heard_by(lease, self.settings)
            reused = find_heard(self.database, lease, self.settings, by)
            answer = reused.transcript if reused else self._answer(lease, heartbeat)
            return self._save(lease, answer, time.monotonic() - began, by, reused)

    def _watchdog(self, lease: Lease) -> Watchdog:
        limits = self.settings.limits_of(lease.engine)
        return Watchdog(limits, self.settings.worker.kill_grace_seconds)

    def _answer(self, lease: Lease, heartbeat: Heartbeat) -> Transcript | Failure:
        try:
            return hear(lease, self.settings, self.loaded, heartbeat)
        except StaleLeaseError:
            raise
        except RunError as error:
            log.warning("run_failed", kind=error.kind.value, error=str(error))
            return failure_of(error)
        except (Exception, SystemExit) as error:  # an engine's own code
            if told_to_end(error):
                raise  # the run is handed back when the worker has ended
            log.exception("run_failed")
            self.loaded.drop()  # it may be in any state, and hold the memory that ran out
            return failure_of(error)

    def _save(
        self,
        lease: Lease,
        answer: Transcript | Failure,
        seconds: float,
        by: str | None,
        reused: Reused | None,
    ) -> RunOutcome:
        give_up = time.monotonic() + SAVING_SECONDS
        while True:
            try:
                if isinstance(answer, Failure):
                    outcome = save_failure(self.database, lease, answer, seconds)
                else:
                    outcome = save_transcript(
                        self.database, lease, answer, seconds, heard_by=by, reused=reused
                    )
            except LedgerError as error:
                if time.monotonic() > give_up:
                    raise
                log.warning("saving_delayed", error=str(error))
                threading.Event().wait(OFFER_SECONDS)
            else:
                log.info("run_ended", state=outcome.state.value, seconds=round(seconds, 3))
                return outcome
