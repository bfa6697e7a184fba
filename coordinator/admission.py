"""Gives the free places of each engine to the runs whose turn it is.

Jobs wait in the ledger. An engine's *window* is what its live workers can do at a time and a
little more: only so many of its runs are ever with the broker. Whenever a place in it falls free,
the rule of `order.py` says which waiting run gets it; that run is then due, and published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from coordinator.lines import free_places, read_lines
from coordinator.settling import settle
from schemas.database import record_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from coordinator.order import Line, Waiting
    from schemas.settings import SchedulingSettings

#: Runs admitted in one transaction.
ADMISSION_BATCH = 100
#: Any number that nobody else locks: of several coordinators one admits at a time.
ADMISSION_LOCK = 0x63686F7261

#: Jobs before runs, as those lock who cancel or pause a job. A job begins with its first run.
BEGIN_JOBS = text("""
UPDATE jobs SET state = 'running', admitted_at = now(), one_chord = true
WHERE id IN (SELECT id FROM jobs WHERE id = ANY(:jobs) AND state = 'queued'
             ORDER BY id FOR NO KEY UPDATE)
  AND state = 'queued' AND paused_at IS NULL AND cancel_requested_at IS NULL
RETURNING id
""")

#: Due in the order given: a microsecond apart, none in the future.
ADMIT_RUNS = text("""
UPDATE engine_runs AS run
SET place = 'window', admitted_at = now(),
    due_at = now() - make_interval(secs => (cardinality(CAST(:runs AS uuid[])) - given.nth) * 1e-6)
FROM unnest(CAST(:runs AS uuid[])) WITH ORDINALITY AS given (id, nth), jobs AS job
WHERE run.id = given.id AND run.place = 'waiting' AND run.state = 'queued'
  AND job.id = run.job_id AND job.state = 'running'
RETURNING run.id
""")

#: What the places cost their owners, and how far each line's clock has come.
CHARGE = text("""
WITH line AS (
  INSERT INTO engine_lines (engine, virtual_time, since_overdue)
  SELECT * FROM unnest(
    CAST(:engines AS text[]), CAST(:virtual_times AS float8[]), CAST(:since_overdue AS int[]))
  ON CONFLICT (engine) DO UPDATE
  SET virtual_time = excluded.virtual_time, since_overdue = excluded.since_overdue
), use AS (
  SELECT * FROM unnest(
    CAST(:lines AS text[]), CAST(:owners AS text[]), CAST(:used AS float8[])
  ) AS use (engine, owner, used)
), left_line AS (
  UPDATE shares SET waited = false
  WHERE engine = ANY(CAST(:engines AS text[])) AND waited AND NOT EXISTS (
    SELECT FROM use WHERE use.engine = shares.engine AND use.owner = shares.owner)
)
INSERT INTO shares (engine, owner, used, waited)
SELECT engine, owner, used, true FROM use
ON CONFLICT (engine, owner) DO UPDATE SET used = excluded.used, waited = true
""")


def admit(
    session: Session, rules: SchedulingSettings, limit: int = ADMISSION_BATCH
) -> tuple[UUID, ...]:
    """Admit the waiting runs whose turn it is; coordinators that do so at a time take turns.

    Returns:
        the job of each admitted run, at most `limit`; the runs still have to be published.
    """
    session.execute(select(func.pg_advisory_xact_lock(ADMISSION_LOCK)))
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
    begun = session.scalars(BEGIN_JOBS, {"jobs": [run.job_id for run in given]}).all()
    record_events(session, begun, "job_admitted")
    admitted = set(session.scalars(ADMIT_RUNS, {"runs": [run.id for run in given]}))
    uses = [
        (engine, owner, use.used)
        for engine, line in lines.items()
        for owner, use in sorted(line.owners.items())
    ]
    session.execute(
        CHARGE,
        {
            "engines": list(lines),
            "virtual_times": [line.virtual_time for line in lines.values()],
            "since_overdue": [line.since_overdue for line in lines.values()],
            "lines": [engine for engine, _, _ in uses],
            "owners": [owner for _, owner, _ in uses],
            "used": [used for _, _, used in uses],
        },
    )
    return tuple(run.job_id for run in given if run.id in admitted)
