"""Gives the free places of each engine to the runs whose turn it is.

Jobs wait in the ledger. An engine's *window* is what its live workers can do at a time, and a
little more where runs are short: only so many of its runs are ever with the broker. Whenever a
place in it falls free, a waiting run gets it. One admission, which nobody interrupts, is:

1. `settling.py`: runs that have ended leave their windows, and what they took is learnt;
2. `lines.py`: how many places of each engine are free, and who is first in each of its lines;
3. `order.py`: the rule, by which the places are given;
4. here: it is written down. The runs are due then, and published by whoever admitted them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.lines import free_places, read_lines
from coordinator.settling import settle
from schemas.names import CHANNEL_JOBS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from coordinator.order import Line, Waiting
    from schemas.settings import SchedulingSettings

#: Runs admitted in one transaction.
ADMISSION_BATCH = 100

#: Writes down what was given, in one journey to the server.
GIVE = text("""
-- A job begins with its first run.
WITH begun AS (
  UPDATE jobs SET state = 'running', admitted_at = now(), one_chord = true
  WHERE id IN (SELECT id FROM jobs WHERE id = ANY(CAST(:jobs AS uuid[])) AND state = 'queued'
               ORDER BY id FOR NO KEY UPDATE)
    AND state = 'queued' AND paused_at IS NULL AND cancel_requested_at IS NULL
  RETURNING id
), told AS (
  INSERT INTO job_events (job_id, kind) SELECT id, 'job_admitted' FROM begun
  RETURNING pg_notify(:channel, CAST(job_id AS text))

-- The runs are due in the order given, a microsecond apart, none in the future. Jobs are locked
-- before runs, as those do who cancel or pause a job, hence the count.
), admitted AS (
  UPDATE engine_runs AS run
  SET place = 'window', admitted_at = now(), due_at = now() - make_interval(
    secs => (cardinality(CAST(:runs AS uuid[])) - given.nth) * 1e-6)
  FROM unnest(CAST(:runs AS uuid[])) WITH ORDINALITY AS given (id, nth), jobs AS job
  WHERE (SELECT count(*) FROM begun) >= 0
    AND run.id = given.id AND run.place = 'waiting' AND run.state = 'queued'
    AND job.id = run.job_id AND (job.state = 'running' OR job.id IN (SELECT id FROM begun))
  RETURNING run.id

-- How far each line has come.
), line AS (
  INSERT INTO engine_lines (engine, virtual_time, since_overdue)
  SELECT * FROM unnest(
    CAST(:engines AS text[]), CAST(:virtual_times AS float8[]), CAST(:since_overdue AS int[]))
  ON CONFLICT (engine) DO UPDATE
  SET virtual_time = excluded.virtual_time, since_overdue = excluded.since_overdue

-- What its owners have used, and who of them has left the line.
), use AS (
  SELECT * FROM unnest(
    CAST(:lines AS text[]), CAST(:owners AS text[]), CAST(:used AS float8[])
  ) AS use (engine, owner, used)
), left_line AS (
  UPDATE shares SET waited = false
  WHERE engine = ANY(CAST(:engines AS text[])) AND waited AND NOT EXISTS (
    SELECT FROM use WHERE use.engine = shares.engine AND use.owner = shares.owner)
), charged AS (
  INSERT INTO shares (engine, owner, used, waited)
  SELECT engine, owner, used, true FROM use
  ON CONFLICT (engine, owner) DO UPDATE SET used = excluded.used, waited = true
)
SELECT id FROM admitted
""")


def admit(
    session: Session, rules: SchedulingSettings, limit: int = ADMISSION_BATCH
) -> tuple[UUID, ...]:
    """Admit the waiting runs whose turn it is; coordinators that do so at a time take turns.

    Returns:
        the job of each admitted run, at most `limit`; the runs still have to be published.
    """
    settle(session)
    wanted = [free for free in free_places(session, rules) if free.wanted]
    if not wanted:
        return ()
    most = min(limit, max(free.places for free in wanted))
    lines = read_lines(session, wanted, rules, most)
    given: list[Waiting] = []
    moved: dict[str, Line] = {}
    for free, line in zip(wanted, lines, strict=True):
        runs = line.give(min(free.places, limit - len(given)))
        if runs:
            moved[free.engine] = line
            given += runs
    return _write_down(session, given, moved)


def _write_down(
    session: Session, given: Sequence[Waiting], lines: Mapping[str, Line]
) -> tuple[UUID, ...]:
    """Put runs into their windows and charge for them; return the job of each that was admitted."""
    if not given:
        return ()
    uses = [
        (engine, owner, use.used)
        for engine, line in lines.items()
        for owner, use in sorted(line.owners.items())
    ]
    about = {
        "jobs": [run.job_id for run in given],
        "runs": [run.id for run in given],
        "engines": list(lines),
        "virtual_times": [line.virtual_time for line in lines.values()],
        "since_overdue": [line.since_overdue for line in lines.values()],
        "lines": [engine for engine, _, _ in uses],
        "owners": [owner for _, owner, _ in uses],
        "used": [used for _, _, used in uses],
        "channel": CHANNEL_JOBS,
    }
    admitted = set(session.connection().execute(GIVE, about).scalars())
    return tuple(run.job_id for run in given if run.id in admitted)
