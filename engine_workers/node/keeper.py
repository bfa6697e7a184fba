"""Keeps one pool as it is wanted: starts its worker, drains it, starts it again after a crash."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from engine_workers.errors import PoolDoesNotFitError, PoolNotReadyError
from engine_workers.node.crashes import CRASH_WINDOW_SECONDS, MAX_CRASHES, Crashes
from engine_workers.node.decide import Limits, Seen, Step, next_step
from engine_workers.node.gauges import usage
from engine_workers.node.process import PoolProcess
from engine_workers.oom import KILLS_VARIABLE
from engine_workers.pools import Launch, launch, worker_name
from schemas.pools import PoolState

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine_workers.node.placing import Place
    from schemas.settings import Settings

#: Seconds until it is tried again to start what lacks something, or does not fit.
WAIT_SECONDS, REFUSED_SECONDS = 5.0, 30.0
#: Seconds that the system gets to end what was killed.
KILL_SECONDS = 5.0
#: Bytes in a megabyte.
MEGABYTE = 10**6

log = structlog.get_logger("engine_workers")


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a pool."""

    running: bool
    slots: int
    generation: int = 0
    #: The number of the last wish that this follows from.
    wish: int = 0


class Keeper:
    """One pool; `tick` does what there is to do, and never waits."""

    def __init__(
        self,
        name: str,
        node: str,
        settings: Settings,
        place: Callable[[str], Place],
        ended: Callable[[str, str | None], None],
    ) -> None:
        """Begin with no process.

        Args:
            name: the pool's.
            node: the machine's.
            settings: with the pool among them.
            place: finds out where the pool can run, see `Placer.place`.
            ended: told the name of a worker that has ended, and how it crashed; None: it was told
                to end.
        """
        self.name = name
        self.worker = worker_name(name, node)
        self.wanted = Wanted(running=True, slots=settings.pools[name].concurrency)
        self.state = PoolState.WAITING
        self.reason: str | None = None
        self.process: PoolProcess | None = None
        self.restarts = 0
        self.done_wish = 0
        self._node = node
        #: Those in force.
        self.settings = settings
        self._place = place
        self._ended = ended
        self._crashes = Crashes(settings.node.first_retry_seconds, settings.node.last_retry_seconds)
        self._limits = Limits(settings.node.start_seconds, settings.node.silent_seconds)
        #: Whether it ends for good.
        self.draining = False
        #: Since when its process runs.
        self.since: datetime | None = None
        self._quiet_since: float | None = None
        #: When it may be started again; None: when somebody asks for it.
        self._not_before: float | None = 0.0
        self._kills = Path(tempfile.mkdtemp(prefix="chordscribe-pool-")) / "memory-kills"

    def want(self, wanted: Wanted) -> None:
        """Take note of what is wanted; a new wish gives a pool that was given up another chance."""
        if self.draining:
            return
        if wanted.wish != self.wanted.wish:
            self._crashes.forget()
            self._not_before = 0.0
        self.wanted = wanted

    def drain(self, now: float) -> None:
        """Have it end for good: runs have their grace, then they are handed back."""
        self.draining = True
        self.wanted = Wanted(False, self.wanted.slots, wish=self.wanted.wish)  # noqa: FBT003
        if self.process is not None:
            self._end(self.process, self.settings.worker.shutdown_seconds, now)

    def close(self) -> None:
        """Forget the pool, which has no process any more."""
        with contextlib.suppress(OSError):
            self._kills.unlink(missing_ok=True)
            self._kills.parent.rmdir()

    def tick(self, now: float) -> None:
        """Do the next step."""
        if self.process is not None:
            self.process.listen(now)
            self._reap(self.process, now)
        step = next_step(self._seen(now), self._limits)
        if step is Step.START:
            self._start(now)
        elif self.process is not None and step is not Step.NOTHING:
            self._carry_out(step, self.process, now)
        self._settle()

    def next_tick(self, now: float) -> float:
        """Return the seconds until there may be something to do."""
        if self.process is None:
            waits = self.wanted.running and self._not_before is not None
            return max(0.0, (self._not_before or 0.0) - now) if waits else float("inf")
        if self.process.told is not None:
            return max(0.0, self.process.told + self.process.patience - now)
        silent = self.process.heard + self._limits.silence - now
        late = self.process.started + self._limits.start - now
        return max(0.0, min(silent, silent if self.process.ready else late))

    def note_runs(self, count: int, now: float) -> None:
        """Take note of how many runs the ledger knows to be at work here.

        A worker that is told to end, and has none for a while, hangs: it is ended. Of queues that
        are no engine's the ledger knows nothing.
        """
        pool, process = self.settings.pools[self.name], self.process
        if count or pool.queues or process is None or process.told is None:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= self.settings.node.quiet_seconds:
            process.patience = min(process.patience, now - process.told)

    def end_hungry(self) -> None:
        """End the children that have more memory than they may, amid their runs."""
        most = self.settings.pools[self.name].kill_memory_per_child
        if most is None or self.process is None:
            return
        for pid, count in usage(self.process.pid).memory.items():
            if pid != self.process.pid and count > most * MEGABYTE:
                log.error("memory_kill", pool=self.name, pid=pid, megabytes=count // MEGABYTE)
                with self._kills.open("a") as kills:
                    kills.write(f"oom_kill {pid}\n")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _seen(self, now: float) -> Seen:
        process = self.process
        startable = self._not_before is not None and now >= self._not_before
        if process is None:
            return Seen(self.wanted.running, startable)
        return Seen(
            self.wanted.running,
            startable,
            alive=True,
            current=process.asked == (self.wanted.slots, self.wanted.generation),
            ready=process.ready,
            age=now - process.started,
            silence=now - process.heard,
            ending=None if process.told is None else now - process.told,
            patience=process.patience,
        )

    def _start(self, now: float) -> None:
        try:
            place = self._place(self.name)
            made = launch(self.name, self._node, self.settings, place.placement, place.with_device)
            made = Launch(made.argv, {**made.env, KILLS_VARIABLE: str(self._kills)})
            asked = (self.wanted.slots, self.wanted.generation)
            self.process = PoolProcess(made, place.placement, asked, now)
        except PoolNotReadyError as error:
            self._wait(PoolState.WAITING, str(error), now + WAIT_SECONDS)
        except PoolDoesNotFitError as error:
            self._wait(PoolState.REFUSED, str(error), now + REFUSED_SECONDS)
        except OSError as error:
            self._crashed(f"it cannot be started: {error}", now)
        else:
            self.state, self.reason = PoolState.STARTING, place.reason
            self.since = datetime.now(UTC)
            log.info("pool_started", pool=self.name, pid=self.process.pid, **vars(place.placement))

    def _wait(self, state: PoolState, reason: str, until: float) -> None:
        if (self.state, self.reason) != (state, reason):
            log.warning("pool_waits", pool=self.name, state=state.value, reason=reason)
        self.state, self.reason, self._not_before = state, reason, until

    def _carry_out(self, step: Step, process: PoolProcess, now: float) -> None:
        if step is Step.DRAIN:
            self._end(process, self.settings.node.drain_seconds, now)
            return
        if step is Step.GIVE_UP:
            silent = f"it gave no sign of life for {now - process.heard:.0f} s"
            process.fault = silent if process.ready else "it took too long to start"
        log.warning("pool_killed", pool=self.name, reason=process.fault or "its time is over")
        process.kill()
        process.told, process.patience = now, KILL_SECONDS

    def _end(self, process: PoolProcess, patience: float, now: float) -> None:
        log.info("pool_drains", pool=self.name, patience_seconds=patience)
        process.end(patience, now)
        self.state, self.reason = PoolState.STOPPING, None

    def _reap(self, process: PoolProcess, now: float) -> None:
        how = process.status()
        if how is None:
            return
        process.bury()
        self.process = None
        if process.told is not None and process.fault is None:
            log.info("pool_ended", pool=self.name, how=how)
            self._ended(self.worker, None)
            self.state, self.reason = PoolState.STOPPED, None
            return
        how = process.fault or how
        self._ended(self.worker, how)
        self._crashed(how, now)

    def _crashed(self, how: str, now: float) -> None:
        wait = self._crashes.another(now)
        if wait is None:
            self.state, self._not_before = PoolState.FAILED, None
            minutes = f"{CRASH_WINDOW_SECONDS / 60:.0f} minutes"
            self.reason = f"it crashed {MAX_CRASHES} times in {minutes} and is given up: {how}"
            log.error("pool_given_up", pool=self.name, reason=self.reason)
            return
        self.restarts += 1
        self.state, self.reason, self._not_before = PoolState.BACKOFF, how, now + wait
        log.warning("pool_crashed", pool=self.name, how=how, retry_seconds=wait)

    def _settle(self) -> None:
        """Note when a pool has become what was wanted, or cannot."""
        process = self.process
        if process is not None:
            if process.ready and process.told is None and self.state is PoolState.STARTING:
                self.state = PoolState.RUNNING
                log.info("pool_runs", pool=self.name)
        elif not self.wanted.running:
            self.state = PoolState.STOPPED
        as_wanted = PoolState.RUNNING if self.wanted.running else PoolState.STOPPED
        if self.state in {as_wanted, PoolState.FAILED, PoolState.REFUSED}:
            self.done_wish = self.wanted.wish
