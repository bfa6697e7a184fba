"""Follows jobs as they change: woken by NOTIFY, without polling."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from coordinator.errors import WaitTimeoutError
from coordinator.ledger import read_job
from schemas.errors import LedgerError
from schemas.names import CHANNEL_JOBS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any
    from uuid import UUID

    from schemas.database import Database
    from schemas.jobs import JobView

#: Seconds without a notification after which the rows are read all the same.
QUIET_SECONDS = 30.0
#: Seconds between two calls of a watcher's `idle`.
IDLE_SECONDS = 1.0
#: Seconds for which a database that went away is waited for.
PATIENCE_SECONDS = 120.0
#: Seconds between two attempts to reach it.
RETRY_SECONDS = 0.5


def watch_jobs(
    database: Database,
    job_ids: Iterable[UUID],
    timeout: float | None = None,
    idle: Callable[[], None] | None = None,
) -> Iterator[JobView]:
    """Yield each job as it stands, then again at every change, until all have ended.

    Args:
        database: the ledger.
        job_ids: the jobs to follow.
        timeout: seconds after which to give up; None waits for ever.
        idle: called about once a second while nothing happens; what it raises ends the watch.

    Raises:
        JobNotFoundError: one of the jobs does not exist.
        WaitTimeoutError: `timeout` passed; the jobs go on.
        LedgerError: the database stayed away for 120 seconds.
    """
    open_jobs = set(job_ids)
    clock = _Clock(None if timeout is None else time.monotonic() + timeout, idle)
    away_since: float | None = None
    while open_jobs:
        try:
            with database.listen(CHANNEL_JOBS) as connection:
                for view in _follow(database, connection, open_jobs, clock):
                    away_since = None
                    yield view
        except (LedgerError, psycopg.OperationalError) as error:
            now = time.monotonic()
            away_since = away_since or now
            clock.tick()
            if now - away_since > PATIENCE_SECONDS:
                message = f"the database stayed away for {PATIENCE_SECONDS:.0f} s: {error}"
                raise LedgerError(message) from error
            time.sleep(RETRY_SECONDS)


@dataclass
class _Clock:
    """What is to be looked at while nothing happens."""

    deadline: float | None
    idle: Callable[[], None] | None

    def tick(self) -> None:
        if self.idle is not None:
            self.idle()
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise WaitTimeoutError


def _follow(
    database: Database,
    connection: psycopg.Connection[Any],
    open_jobs: set[UUID],
    clock: _Clock,
) -> Iterator[JobView]:
    """Yield changed jobs over one connection, taking those that have ended out of `open_jobs`."""
    changed = set(open_jobs)
    while True:
        for job_id in sorted(changed, key=str):
            with database.transaction() as session:
                view = read_job(session, job_id)
            if view.state.terminal:
                open_jobs.discard(job_id)
            yield view
        if not open_jobs:
            return
        changed = _changed(connection, open_jobs, clock)


def _changed(connection: psycopg.Connection[Any], open_jobs: set[UUID], clock: _Clock) -> set[UUID]:
    """Wait until at least one of the jobs may have changed; return those that may have."""
    by_text = {str(job_id): job_id for job_id in open_jobs}
    quiet_until = time.monotonic() + QUIET_SECONDS
    while True:
        clock.tick()
        now = time.monotonic()
        if now >= quiet_until:
            return set(open_jobs)
        wait = min(quiet_until, clock.deadline or quiet_until, now + IDLE_SECONDS) - now
        heard = {n.payload for n in connection.notifies(timeout=wait, stop_after=1)}
        heard |= {n.payload for n in connection.notifies(timeout=0)}
        found = {by_text[text] for text in heard if text in by_text}
        if found:
            return found
