"""Reads whether the engines' lines move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Float, cast, func, select, text

from coordinator.alerts.readings import Readings, labels
from coordinator.overview import read_lines
from schemas.outage_table import Outage

if TYPE_CHECKING:
    from coordinator.alerts.readers.scene import Scene

#: For each engine with waiting runs: the age of the oldest, for how long none has ended, whether
#: any is being worked on. A question for each place: each has an index of its own.
WAITING = text("""
WITH waiting AS (
  SELECT engine, min(submitted_at) AS first FROM engine_runs
  WHERE place = 'waiting' GROUP BY engine
  UNION ALL
  SELECT engine, min(submitted_at) FROM engine_runs
  WHERE place = 'window' AND state = 'queued' GROUP BY engine
)
SELECT waiting.engine, extract(epoch FROM now() - min(waiting.first))::float8 AS age,
  (SELECT extract(epoch FROM now() - max(ended.finished_at))::float8 FROM engine_runs AS ended
   WHERE ended.engine = waiting.engine AND ended.finished_at IS NOT NULL) AS quiet,
  EXISTS (SELECT FROM engine_runs AS busy WHERE busy.engine = waiting.engine
          AND busy.state = 'running' AND busy.lease_expires_at > now()) AS busy
FROM waiting GROUP BY waiting.engine
""")

UNSERVED = select(
    Outage.engine, cast(func.extract("epoch", func.now() - Outage.since), Float).label("seconds")
).where(Outage.ended_at.is_(None))


def read_queues(scene: Scene, readings: Readings) -> None:
    """Read how old each line is, and for how long it has stood still.

    A line stands still while there is something in it that could begin, live workers serve the
    engine, and yet none works on a run of it. What is paused, or has no worker, is no such line.
    """
    able = {
        line.engine
        for line in read_lines(scene.session, scene.settings.scheduling, limit=1)
        if not line.stopped and (line.runs or line.handed)
    }
    rows = scene.session.execute(WAITING).all()
    readings.put("queue_age_seconds", {labels(engine=row.engine): row.age for row in rows})
    readings.put(
        "queue_idle_seconds",
        {
            labels(engine=row.engine): 0.0
            if row.busy
            else min(row.age, row.age if row.quiet is None else row.quiet)
            for row in rows
            if row.engine in able
        },
    )


def read_unserved(scene: Scene, readings: Readings) -> None:
    """Read which engines have no worker for what waits; the coordinator's sweep finds them."""
    rows = scene.session.execute(UNSERVED).all()
    readings.put(
        "engine_unserved_seconds", {labels(engine=row.engine): row.seconds for row in rows}
    )
