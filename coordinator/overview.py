"""The engines' lines as people ask about them: what waits, in which order, until when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from coordinator.lines import Free, presence_limits
from coordinator.lines import read_lines as read_heads
from schemas.queue import EngineQueue, QueuedRun
from schemas.scheduling import Priority
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from coordinator.order import Waiting
    from schemas.settings import SchedulingSettings

#: The most runs of a line that are put in order.
MAX_ORDERED = 1000

#: Every engine that anything waits for, in line or with the broker, or that a worker serves.
ENGINES = text("""
WITH RECURSIVE wanted AS (
  (SELECT engine FROM engine_runs WHERE place = 'waiting' ORDER BY engine LIMIT 1)
  UNION ALL
  SELECT (SELECT run.engine FROM engine_runs AS run
          WHERE run.place = 'waiting' AND run.engine > wanted.engine
          ORDER BY run.engine LIMIT 1)
  FROM wanted WHERE wanted.engine IS NOT NULL
), handed AS (
  SELECT DISTINCT engine FROM engine_runs WHERE place = 'window'
), pool AS (
  SELECT engine, sum(slots) FILTER (
           WHERE coalesce(free_memory >= :memory, true) AND coalesce(free_vram >= :vram, true)
         )::int AS slots
  FROM pools WHERE seen_at > now() - make_interval(secs => :silence) GROUP BY engine
)
SELECT wanted.engine, coalesce(pool.slots, 0) AS slots, pool.engine IS NOT NULL AS served,
  line.virtual_time, line.since_overdue, line.max_running, estimate.error,
  (SELECT kind FROM pauses WHERE kind = 'all' OR (kind = 'engine' AND name = wanted.engine)
   ORDER BY kind LIMIT 1) AS paused,
  (SELECT count(*) FROM engine_runs AS run
   WHERE run.place = 'waiting' AND run.engine = wanted.engine) AS waiting,
  taken.owners, taken.seconds, taken.handed, outage.since AS outage_since, outage.told_at
FROM (SELECT engine FROM wanted WHERE engine IS NOT NULL
      UNION SELECT engine FROM handed UNION SELECT engine FROM pool) AS wanted
LEFT JOIN pool ON pool.engine = wanted.engine
LEFT JOIN outages AS outage ON outage.engine = wanted.engine AND outage.ended_at IS NULL
LEFT JOIN engine_lines AS line ON line.engine = wanted.engine
LEFT JOIN measures AS estimate ON estimate.kind = 'cost' AND estimate.name = wanted.engine
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(run.job_owner), '{}') AS owners, coalesce(sum(greatest(0, run.cost
    - CASE WHEN run.state = 'running' THEN extract(epoch FROM now() - run.started_at)
           ELSE 0 END)), 0)::float8 AS seconds,
    (count(*) FILTER (WHERE run.state = 'queued'))::int AS handed
  FROM engine_runs AS run WHERE run.place = 'window' AND run.engine = wanted.engine
    AND run.state IN ('queued', 'running')
) AS taken
ORDER BY wanted.engine
""")


@dataclass(frozen=True)
class Ordered:
    """One engine's line, its first runs in the order in which they will be admitted."""

    engine: str
    slots: int
    #: Runs in the window by owner, and the seconds that they are still expected to take.
    taken: Counter[str]
    taken_seconds: float
    waiting: int
    #: Runs that the broker has, or is about to get: no worker has begun them.
    handed: int
    #: Why nothing of it is admitted; None while things go on.
    stopped: str | None
    #: Why its workers cannot take what waits; None while they can, or while it is paused.
    unable: str | None
    #: Since when that has been so, and when it was told of.
    unable_since: datetime | None
    told_at: datetime | None
    error: float | None
    runs: Sequence[Waiting]
    max_running: int | None

    def starts(self) -> list[datetime | None]:
        """Return when each of the runs is expected to begin; None while nothing is admitted."""
        if self.stopped or not self.slots:
            return [None for _ in self.runs]
        now, ahead, found = datetime.now(UTC), self.taken_seconds, []
        for run in self.runs:
            found.append(now + timedelta(seconds=ahead / self.slots))
            ahead += run.cost
        return list(found)


def read_lines(
    session: Session, rules: SchedulingSettings, limit: int = MAX_ORDERED
) -> list[Ordered]:
    """Return every engine's line, up to `limit` runs of each in order."""
    rows = session.execute(ENGINES, presence_limits(rules))
    return [_ordered(session, row, rules, limit) for row in rows]


def read_queue(session: Session, rules: SchedulingSettings, limit: int) -> tuple[EngineQueue, ...]:
    """Return what waits, the first `limit` runs of each engine in their order."""
    lines = read_lines(session, rules, limit)
    jobs = _jobs(session, {run.job_id for line in lines for run in line.runs})
    return tuple(_view(line, jobs) for line in lines)


def _ordered(session: Session, row: Row[Any], rules: SchedulingSettings, limit: int) -> Ordered:
    taken = Counter(row.owners)
    since = rules.overdue_every if row.since_overdue is None else row.since_overdue
    free = Free(row.engine, limit, row.virtual_time or 0.0, since, taken, wanted=True)
    (line,) = read_heads(session, [free], rules, limit)
    return Ordered(
        row.engine,
        row.slots,
        taken,
        row.seconds,
        row.waiting,
        row.handed,
        _paused(row) or _unable(row),
        None if row.paused else _unable(row),
        row.outage_since,
        row.told_at,
        row.error,
        line.give(limit),
        row.max_running,
    )


def _paused(row: Row[Any]) -> str | None:
    if row.paused is None:
        return None
    return "everything is paused" if row.paused == "all" else "the engine is paused"


def _unable(row: Row[Any]) -> str | None:
    if not row.served:
        return "no live worker serves the engine"
    if not row.slots:
        return "its workers have too little free memory"
    return None


def _jobs(session: Session, ids: set[UUID]) -> dict[UUID, Job]:
    return {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(ids)))}


def _view(line: Ordered, jobs: dict[UUID, Job]) -> EngineQueue:
    runs = tuple(
        QueuedRun(
            position=position,
            job_id=run.job_id,
            recording=str(jobs[run.job_id].audio.get("name", "")),
            owner=run.owner,
            priority=Priority.of_rank(run.priority),
            submitted_at=datetime.fromtimestamp(run.submitted_at, UTC),
            deadline=jobs[run.job_id].deadline,
            overdue=run.overdue,
            cost_seconds=round(run.cost, 3),
            expected_start=start,
        )
        for position, (run, start) in enumerate(zip(line.runs, line.starts(), strict=True), 1)
    )
    return EngineQueue(
        engine=line.engine,
        slots=line.slots,
        in_window=line.taken.total(),
        waiting=line.waiting,
        stopped=line.stopped,
        stopped_since=line.unable_since if line.unable else None,
        alert=line.unable is not None and line.told_at is not None,
        runs=runs,
        estimate_error=line.error,
    )
