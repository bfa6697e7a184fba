"""The coordinator's process: woken by NOTIFY or a clock, it admits, publishes, sweeps."""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import structlog
from kombu.exceptions import OperationalError as BrokerError

from coordinator import sweep
from coordinator.admission import ADMISSION_BATCH, admit
from coordinator.alerts.facts import SWEPT, note
from coordinator.alerts.watch import AlertWatch
from coordinator.app import make_app
from coordinator.deadlines import keep_deadlines
from coordinator.dependencies import resolve
from coordinator.erasing.retention import Retention
from coordinator.errors import ErasingError
from coordinator.forgetting import Forgetting
from coordinator.media_queue import reopen_media
from coordinator.outages import watch_engines
from coordinator.preparations import Preparations
from coordinator.publish import (
    PUBLISHED_RUNS,
    aggregations_waiting,
    publish_aggregation,
    publish_next,
    queue_lengths,
    seconds_to_next,
)
from coordinator.recover import reopen_interrupted
from coordinator.tidy import Tidier
from coordinator.waking import Bell, job_ids, listening
from schemas.configuration_reports import ConfigurationReports
from schemas.database import Database, record_events
from schemas.errors import ChordscribeError, LedgerError
from schemas.following import Follower
from schemas.health import HealthServer, Pulse
from schemas.live_settings import LiveSettings
from schemas.logs import set_up_logs
from schemas.names import CONFIGURATION
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType
    from uuid import UUID

    from coordinator.waking import Ears

#: Seconds until a server that did not answer is tried again; doubled up to the second figure.
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 10.0

#: How many times longer a forgotten job waits while the aggregation's queue is not empty.
LONG_WAIT = 10

#: Seconds within which the loop has to get round once, besides its waits.
LOOP_SECONDS = 60.0

log = structlog.get_logger("coordinator")


class Service:
    """Admits and publishes until it is told to stop."""

    def __init__(self, settings: Settings, *, follow: bool = False) -> None:
        """Prepare the connections; `run` opens them.

        Args:
            settings: the configuration.
            follow: whether it follows its file.
        """
        self._live = LiveSettings(settings, follow=follow)
        self._database = Database(settings)
        self._app = make_app(settings)
        self._tidier = Tidier(self._app)
        self._preparations = Preparations(self._database, self._app, self._live)
        self._forgetting = Forgetting()
        self._retention = Retention()
        self._stopping = threading.Event()
        self._bell = Bell()
        self._swept = -math.inf
        node = settings.node.name or socket.gethostname()
        self._reports = ConfigurationReports(self._database, node, "coordinator")
        self._live.hear = self._reports.hear
        self._follower = Follower(self._live, told=True, also=self._reports.send)
        self.pulse = Pulse()
        self._health: HealthServer | None = None
        self._alerts = AlertWatch(self._live, node, self.pulse)

    def run(self) -> None:
        """Work until `stop` is called; a server that goes away is waited for.

        Raises:
            SchemaVersionError: the database is not of this version.
        """
        self._database.check_schema()
        silent: float | None = None
        if os.environ.get("CHORDSCRIBE_EMBEDDED"):
            # Nothing of an earlier stack lives or waits in the broker.
            silent = 0.0
            with self._database.transaction() as session:
                log.info("recovered", jobs=reopen_interrupted(session))
                reopen_media(session)
        self._follower.start()
        self._alerts.start()
        self._health = HealthServer(self._live.now.health, "coordinator", self.pulse)
        retry = FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            try:
                with listening(self._database, self._bell) as ears:
                    log.info("ready")
                    self._swept = -math.inf
                    heard: Collection[UUID] = ()
                    while not self._stopping.is_set():
                        heard = self._round(ears, heard, silent)
                        silent, retry = None, FIRST_RETRY_SECONDS
            except (LedgerError, BrokerError, psycopg.OperationalError) as error:
                log.warning("server_away", error=str(error), retry_seconds=retry)
                self.pulse.beat("loop", LOOP_SECONDS)
                self.pulse.ready(str(error))
                self._bell.wait(retry)
                retry = min(2 * retry, LAST_RETRY_SECONDS)

    def _round(self, ears: Ears, heard: Collection[UUID], silent: float | None) -> set[UUID]:
        """Do what there is to do, then wait; return the jobs that were heard of."""
        self.pulse.beat("loop", LOOP_SECONDS + self._live.now.leases.sweep_seconds)
        if self._to_sweep() <= 0:
            self.sweep(silent)
            self._swept = time.monotonic()
        wait = self.work()
        self.pulse.ready()
        if self.settle(heard):
            return set()  # there is more to admit
        told = ears.wait(min(wait, max(0.0, self._to_sweep())))
        self._preparations.hear(told)
        if CONFIGURATION in told:
            self._live.look()
        return job_ids(told)

    def _to_sweep(self) -> float:
        """Return the seconds until the next sweep."""
        return self._swept + self._live.now.leases.sweep_seconds - time.monotonic()

    def work(self) -> float:
        """Admit and publish all there is; return the seconds until something falls due."""
        self._preparations.work()
        while not self._stopping.is_set():
            with self._database.transaction() as session:
                admitted = admit(session, self._live.now.scheduling)
            self.pulse.beat("loop", LOOP_SECONDS)
            published = taken = self._publish()
            while taken >= PUBLISHED_RUNS:
                taken = self._publish()
                published += taken
            if admitted or published:
                log.info("published", admitted=len(admitted), published=published)
            if len(admitted) < ADMISSION_BATCH:
                break  # what came meanwhile is heard of, or due at once
        with self._database.reading() as session:
            wait = seconds_to_next(session)
        return math.inf if wait is None else wait

    def _publish(self) -> int:
        return 0 if self._stopping.is_set() else publish_next(self._database, self._app)

    def settle(self, job_ids: Collection[UUID]) -> bool:
        """Have those of the jobs compared, or cancelled, in which nothing runs any more.

        A worker that had to kill itself says so: its task never returns to the chord.

        Returns:
            Whether other jobs may begin by it.
        """
        if not job_ids:
            return False
        with self._database.transaction() as session:
            sweep.part_from_chords(session, job_ids)
            for job_id in sweep.jobs_to_end(session, 0.0, among=job_ids):
                publish_aggregation(self._app, job_id)
            return resolve(session, among=job_ids) > 0

    def sweep(self, silent: float | None = None) -> None:
        """Rescue what the ledger shows to be stuck, unless another coordinator is doing so.

        Args:
            silent: seconds of silence after which a message counts as lost, or a job whose runs
                have ended as forgotten; None takes the length of a lease.
        """
        silent = self._live.now.leases.lease_seconds if silent is None else silent
        with self._database.transaction() as session:
            if not sweep.take_lock(session):
                return
            rescued = {
                "dead_leases": sweep.end_dead_leases(session),
                "cancelled": sweep.end_cancelled(session),
                "unblocked": resolve(session),
                "at_risk": keep_deadlines(session, self._live.now.scheduling),
                "unserved": watch_engines(session, self._live.now.scheduling),
            }
        with self._database.transaction() as session:
            if not sweep.take_lock(session):
                return
            lengths = queue_lengths(self._app, sweep.engines_waited_for(session, silent))
            rescued["republished"] = sweep.republish_lost(session, silent, lengths)
            # A queue that is not empty may still hold the callback: it gets much longer.
            patience = silent * LONG_WAIT if aggregations_waiting(self._app) else silent
            stuck = sweep.jobs_to_end(session, patience)
            record_events(session, stuck, "aggregation_republished")
            rescued["aggregations"] = len(stuck)
            rescued["tidied"] = self._tidier.tidy(session, silent)
            note(session, SWEPT)
        rescued |= self._preparations.look(silent)
        self._forgetting.look(self._database, self._live.now.cache)
        rescued["purged"] = self._purge()
        # Written down first: who then compares the runs has to know that others were asked before.
        for job_id in stuck:
            publish_aggregation(self._app, job_id)
        if any(rescued.values()):
            log.warning("swept", **rescued)

    def _purge(self) -> int:
        try:
            return self._retention.look(self._database, self._live.now)
        except ErasingError as error:  # the others' jobs go on all the same
            log.error("not_purged", error=str(error))  # noqa: TRY400  # its message says it all
            return 0

    def stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Let `run` return after what it is doing now; fit to be a signal handler."""
        del signum, frame
        self._stopping.set()
        self._bell.ring()

    def close(self) -> None:
        """Close the connections that `run`, `work` or `sweep` opened."""
        self._follower.stop()
        self._alerts.stop()
        if self._health is not None:
            self._health.stop()
        self._database.dispose()
        self._app.close()
        self._bell.close()


def main() -> int:
    """Run the coordinator; return the exit code."""
    set_up_logs()
    try:
        settings = load_settings()
        set_up_logs(settings.monitoring.log_level)
        service = Service(settings, follow=True)
        signal.signal(signal.SIGTERM, service.stop)
        signal.signal(signal.SIGINT, service.stop)
        signal.signal(signal.SIGQUIT, service.stop)
        with closing(service):
            service.run()
    except ChordscribeError as error:
        log.error("stopped", error=str(error))  # noqa: TRY400  # its message says it all
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
