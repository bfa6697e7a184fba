"""What admission reads of the ledger: free places by engine, the heads of the lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from coordinator.order import Line, Spare, Use, Waiting, window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from schemas.settings import SchedulingSettings

#: The engines with a live pool, how many run at a time there, what their windows hold. A run that
#: is to be tried again later has no place in the meantime. Not `now()`, when the transaction began:
#: while it waited for the lock, another coordinator may have given places away.
ENGINES = text("""
SELECT pool.engine, pool.slots, line.virtual_time, line.since_overdue, line.max_running,
       estimate.median AS run_seconds,
       EXISTS (SELECT FROM engine_runs AS run
               WHERE run.place = 'waiting' AND run.engine = pool.engine) AS waits,
       ARRAY(SELECT run.job_owner FROM engine_runs AS run
             WHERE run.place = 'window' AND run.engine = pool.engine
               AND (run.due_at IS NULL OR run.due_at <= statement_timestamp())) AS taken
FROM (SELECT engine, sum(slots)::int AS slots FROM pools
      WHERE seen_at > now() - make_interval(secs => :silence)
        AND coalesce(free_memory >= :memory, true) AND coalesce(free_vram >= :vram, true)
      GROUP BY engine) AS pool
LEFT JOIN engine_lines AS line ON line.engine = pool.engine
LEFT JOIN measures AS estimate ON estimate.kind = 'run' AND estimate.name = pool.engine
WHERE NOT EXISTS (SELECT FROM pauses WHERE kind = 'all'
                  OR (kind = 'engine' AND pauses.name = pool.engine))
""")

#: The first runs of each engine, priority and owner: by latest start, and, of those past their
#: target, by submission. One probe of an index for each line that there is, however long it is.
HEADS = text("""
WITH RECURSIVE line AS (
  SELECT first.* FROM unnest(CAST(:engines AS text[])) AS free (engine) CROSS JOIN LATERAL (
    SELECT run.engine, run.priority, run.job_owner FROM engine_runs AS run
    WHERE run.place = 'waiting' AND run.engine = free.engine
    ORDER BY run.priority, run.job_owner LIMIT 1) AS first
  UNION ALL
  SELECT later.* FROM line CROSS JOIN LATERAL (
    SELECT run.engine, run.priority, run.job_owner FROM engine_runs AS run
    WHERE run.place = 'waiting' AND run.engine = line.engine
      AND (run.priority, run.job_owner) > (line.priority, line.job_owner)
    ORDER BY run.priority, run.job_owner LIMIT 1) AS later
)
SELECT line.engine, head.id, head.job_id, line.job_owner, line.priority, head.overdue, head.cost,
       extract(epoch FROM head.latest_start)::float8 AS latest_start,
       extract(epoch FROM head.submitted_at)::float8 AS submitted_at,
       coalesce(share.used, 0) AS used, coalesce(share.waited, false) AS waited,
       coalesce(owner.weight, 1) AS weight, owner.max_running
FROM line
LEFT JOIN owners AS owner ON owner.name = line.job_owner
LEFT JOIN shares AS share ON share.engine = line.engine AND share.owner = line.job_owner
CROSS JOIN LATERAL (
  (SELECT id, job_id, cost, latest_start, submitted_at, false AS overdue FROM engine_runs AS run
   WHERE run.place = 'waiting' AND run.engine = line.engine
     AND run.priority = line.priority AND run.job_owner = line.job_owner
   ORDER BY run.latest_start, run.id LIMIT :places)
  UNION ALL
  (SELECT id, job_id, cost, latest_start, submitted_at, true FROM engine_runs AS run
   WHERE run.place = 'waiting' AND run.engine = line.engine
     AND run.priority = line.priority AND run.job_owner = line.job_owner
     AND run.submitted_at < now() - make_interval(
       secs => (CAST(:targets AS float8[]))[line.priority + 1])
   ORDER BY run.submitted_at, run.id LIMIT :places)
) AS head
WHERE NOT EXISTS (SELECT FROM pauses WHERE kind = 'owner' AND pauses.name = line.job_owner)
""")


@dataclass(frozen=True)
class Free:
    """An engine that has free places."""

    engine: str
    places: int
    virtual_time: float
    since_overdue: int
    #: Runs in the window by owner.
    taken: Counter[str]
    #: Whether anything waits for it.
    wanted: bool


def free_places(session: Session, rules: SchedulingSettings) -> list[Free]:
    """Return the engines that can be given runs now, whether or not any wait for them."""
    rows = session.connection().execute(ENGINES, presence_limits(rules))
    found = (_free(row, rules) for row in rows)
    return [free for free in found if free.places > 0]


def presence_limits(rules: SchedulingSettings) -> dict[str, float]:
    """Return what a worker's row has to show for its slots to count."""
    return {
        "silence": rules.silence_seconds,
        "memory": rules.min_free_memory,
        "vram": rules.min_free_vram,
    }


def read_lines(
    session: Session, free: Sequence[Free], rules: SchedulingSettings, places: int
) -> list[Line]:
    """Return the line of each engine, long enough to give away that many places."""
    engines, targets = [engine.engine for engine in free], list(rules.targets())
    about = {"engines": engines, "places": places, "targets": targets}
    heads: dict[str, list[Row[Any]]] = {engine: [] for engine in engines}
    for row in session.connection().execute(HEADS, about):
        heads[row.engine].append(row)
    return [_line(engine, heads[engine.engine], rules) for engine in free]


def _line(free: Free, heads: Sequence[Row[Any]], rules: SchedulingSettings) -> Line:
    owners = {
        row.job_owner: Use(
            row.used,
            row.weight,
            _room(row.max_running, free.taken[row.job_owner]),
            row.waited,
        )
        for row in heads
    }
    runs = [
        Waiting(
            row.id,
            row.job_id,
            row.job_owner,
            row.priority,
            row.latest_start,
            row.submitted_at,
            row.cost,
            row.overdue,
        )
        for row in heads
    ]
    return Line(
        [run for run in runs if not run.overdue],
        [run for run in runs if run.overdue],
        owners,
        free.virtual_time,
        free.since_overdue,
        rules.overdue_every,
    )


def _free(row: Row[Any], rules: SchedulingSettings) -> Free:
    spare = Spare(
        rules.spare_share, rules.spare_seconds, rules.max_spare, rules.spare_below_seconds
    )
    size = window(row.slots, row.run_seconds or 1.0, spare)
    if row.max_running is not None:
        size = min(size, row.max_running)
    taken = Counter(row.taken)
    return Free(
        row.engine,
        size - taken.total(),
        row.virtual_time or 0.0,
        # A line that nobody was admitted from owes the first place to whoever is overdue.
        rules.overdue_every if row.since_overdue is None else row.since_overdue,
        taken,
        row.waits,
    )


def _room(cap: int | None, taken: int) -> float:
    return float("inf") if cap is None else cap - taken
