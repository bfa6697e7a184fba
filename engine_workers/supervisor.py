"""Looks after the worker pools of a machine: as they are wanted, so they are kept."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine_workers.errors import PoolNotReadyError
from engine_workers.node.aftermath import count_losses, hand_back
from engine_workers.node.broker import broker_problem
from engine_workers.node.keeper import Keeper, Wanted
from engine_workers.node.ledger import adopt, forget_old, read_pools, tell
from engine_workers.node.link import ASK, Link
from engine_workers.node.orphans import end_orphan
from engine_workers.node.placing import Placer
from engine_workers.node.processes import adopt_orphans, reap_orphans
from engine_workers.node.reporter import Reporter
from schemas.configuration_reports import ConfigurationReports
from schemas.database import Database
from schemas.errors import LedgerError
from schemas.following import Follower
from schemas.health import HealthServer, Pulse
from schemas.live_settings import LiveSettings
from schemas.names import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from engine_workers.node.placing import Place
    from schemas.settings import Settings

#: The most seconds between two looks at everything.
LOOK_SECONDS = 1.0
#: Seconds that one round may take before the supervisor counts as stuck.
ROUND_SECONDS = 120.0

log = structlog.get_logger("engine_workers")


class Supervisor:
    """Keeps the pools of one node until it is told to stop; one thread does it all."""

    def __init__(
        self, settings: Settings, node: str, names: Sequence[str], *, follow: bool = False
    ) -> None:
        """Prepare; `run` begins.

        Args:
            settings: with the pools.
            node: the machine's name.
            names: of the pools to run.
            follow: whether it follows the configuration file.
        """
        self._settings = settings
        self._live = LiveSettings(settings, follow=follow)
        self._node = node
        self._database = Database(settings)
        self._link = Link(self._database, node)
        self._placer = Placer(settings, self._database)
        self.keepers = [Keeper(name, node, settings, self._place, self._ended) for name in names]
        self._reporter = Reporter(settings, node, self.keepers)
        self._reports = ConfigurationReports(self._database, node, "worker")
        self._live.hear = self._reports.hear
        self._follower = Follower(self._live, told=True, also=self._report)
        self.pulse = Pulse()
        self._health: HealthServer | None = None
        self._adopted = False
        self._broker_was_there = False
        self._stopping = self._draining = False
        self._next_report = 0.0
        self._said: object = None
        self._wake_read, self._wake_write = os.pipe()
        for handle in (self._wake_read, self._wake_write):
            os.set_blocking(handle, False)  # its only form

    def run(self) -> None:
        """Keep the pools until `stop` is called and all have ended.

        Raises:
            NodeTakenError: another supervisor looks after this node.
        """
        adopt_orphans()
        wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        before = signal.signal(signal.SIGCHLD, lambda *_: None)  # it only wakes us
        self._follower.start()
        self._health = HealthServer(self._settings.health, "supervisor", self.pulse)
        try:
            while not (self._draining and all(it.process is None for it in self.keepers)):
                self._round(time.monotonic())
                self._wait(time.monotonic())
            self._exchange(time.monotonic())
        finally:
            signal.signal(signal.SIGCHLD, before)
            signal.set_wakeup_fd(wakeup)
            self._close()

    def stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Have `run` drain the pools; fit to be a signal handler."""
        del signum, frame
        self._stopping = True
        with suppress(BlockingIOError):  # there is enough to wake it
            os.write(self._wake_write, b"\0")

    def _round(self, now: float) -> None:
        """Do everything that is due."""
        self.pulse.beat("loop", ROUND_SECONDS)
        self.pulse.ready(None if self._link.connection else "the database is away")
        self._take(self._live.now)
        asked = self._hear(now)
        if self._stopping and not self._draining:
            self._draining = True
            log.info("node_drains", node=self._node)
        if self._draining:
            self._drain(now)
        due = now >= self._next_report
        if asked or due:
            self._exchange(now)
        if self._adopted or self._draining:
            for keeper in self.keepers:
                keeper.tick(now)
                keeper.end_hungry()
        if due or self._news() != self._said:
            reap_orphans({it.process.pid for it in self.keepers if it.process is not None})
        if self._news() != self._said:
            self._exchange(time.monotonic())

    def _take(self, settings: Settings) -> None:
        """Have settings take effect that have changed since."""
        if settings is self._settings:
            return
        if settings.node.report_seconds != self._settings.node.report_seconds:
            self._next_report = min(
                self._next_report, time.monotonic() + settings.node.report_seconds
            )
        self._settings = self._placer.settings = settings
        for keeper in self.keepers:
            keeper.settings = settings

    def _report(self) -> None:
        """Tell the ledger of the configuration, once it is known to have a place for that."""
        if self._adopted:
            self._reports.send()

    def _drain(self, now: float) -> None:
        """End the pools of engines first: what they finish goes on to the others."""
        left = [keeper for keeper in self.keepers if keeper.process is not None]
        engines = [keeper for keeper in left if self._engines(keeper)]
        idle = [keeper for keeper in self.keepers if keeper.process is None]
        for keeper in (*idle, *(engines or left)):
            if not keeper.draining:
                keeper.drain(now)

    def _engines(self, keeper: Keeper) -> tuple[str, ...]:
        return self._settings.pools[keeper.name].engines_of(keeper.name)

    def _hear(self, now: float) -> bool:
        """Return whether the ledger wants something; connect to it when it was away."""
        try:
            was = self._link.connection is not None
            there = self._link.connect(now)
            heard = self._link.heard()
        except psycopg.Error as error:
            self._link.lose(error, now)
            return False
        if CONFIGURATION in heard:
            self._live.look()
        return f"{ASK} {self._node}" in heard or (there and not was)

    def _exchange(self, now: float) -> None:
        """Read what is wanted, tell what is."""
        if self._link.connection is None:
            return
        self._next_report = now + self._settings.node.report_seconds
        try:
            if not self._adopted:
                self._begin()
            with self._database.transaction() as session:
                for name, row in read_pools(session, self._node).items():
                    keeper = next(it for it in self.keepers if it.name == name)
                    slots = row.wanted_slots or self._settings.pools[name].concurrency
                    running = row.wanted == "running"
                    keeper.want(Wanted(running, slots, row.generation, row.wish))
                state = "draining" if self._draining else "running"
                if self._draining and all(it.process is None for it in self.keepers):
                    state = "stopped"
                self._reporter.report(session, state, now)
                tell(session, self._node)
            self._said = self._news()
        except (LedgerError, SQLAlchemyError) as error:
            self._link.lose(error, now)

    def _begin(self) -> None:
        """Make the pools known; end what a supervisor left that was killed."""
        with self._database.transaction() as session:
            found = read_pools(session, self._node)
            left = [(row.worker, row.pid, row.identity) for row in found.values() if row.pid]
            pools = {it.name: (it.worker, self._engines(it)) for it in self.keepers}
            adopt(session, self._node, pools)
            forget_old(session)
        for worker, pid, mark in left:
            if end_orphan(pid, mark):
                log.warning("orphan_ended", worker=worker, pid=pid)
                hand_back(self._database, worker)
        self._adopted = True

    def _place(self, name: str) -> Place:
        """Find out where a pool can run, once there is a broker to work for."""
        if not self._broker_was_there:
            problem = broker_problem(self._settings)
            if problem is not None:
                raise PoolNotReadyError(problem)
            self._broker_was_there = True
        slots = {it.name: it.wanted.slots for it in self.keepers if it.wanted.running}
        return self._placer.place(name, slots)

    def _ended(self, worker: str, how: str | None) -> None:
        """Tell the ledger what a dead worker cannot."""
        try:
            if how is None:
                told = hand_back(self._database, worker)
            else:
                told = count_losses(self._database, worker, how)
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("end_not_stored", worker=worker, error=str(error))
        else:
            if told:
                log.warning("runs_cut_off", worker=worker, runs=told)

    def _news(self) -> object:
        """Return what is told at once when it changes."""
        return [
            (keeper.state, keeper.reason, keeper.done_wish, keeper.process and keeper.process.pid)
            for keeper in self.keepers
        ]

    def _wait(self, now: float) -> None:
        """Wait for a signal, a word of the ledger or of a pool, or until something is due."""
        sources: list[Any] = [self._wake_read]
        if self._link.connection is not None:
            sources.append(self._link.connection)
        started = [keeper.process for keeper in self.keepers if keeper.process is not None]
        sources += [process.tie for process in started if not process.ready]
        waits = [keeper.next_tick(now) for keeper in self.keepers]
        if self._link.connection is not None:
            waits.append(self._next_report - now)
        until = min(*waits, self._link.next_try(now), LOOK_SECONDS)
        select.select(sources, [], [], max(0.0, until))
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 1024):
                pass

    def _close(self) -> None:
        self._follower.stop()
        if self._health is not None:
            self._health.stop()
        for keeper in self.keepers:
            keeper.close()
        self._link.close()
        self._database.dispose()
        os.close(self._wake_read)
        os.close(self._wake_write)
