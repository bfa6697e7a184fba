"""Reads how runs ended lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.alerts.readings import labels

if TYPE_CHECKING:
    from coordinator.alerts.readers.scene import Scene
    from coordinator.alerts.readings import Readings

#: One probe of the index for each engine there is. What was cancelled says nothing of the engine,
#: nor does what repeats an earlier transcript.
ENDED = text("""
WITH RECURSIVE known AS (
  (SELECT engine FROM engine_runs WHERE finished_at IS NOT NULL ORDER BY engine LIMIT 1)
  UNION ALL
  SELECT (SELECT run.engine FROM engine_runs AS run
          WHERE run.finished_at IS NOT NULL AND run.engine > known.engine
          ORDER BY run.engine LIMIT 1)
  FROM known WHERE known.engine IS NOT NULL
)
SELECT known.engine, ended.failed, ended.all
FROM known CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE run.state = 'failed') AS failed, count(*) AS all
  FROM engine_runs AS run
  WHERE run.engine = known.engine AND run.finished_at > now() - make_interval(secs => :seconds)
    AND run.state IN ('succeeded', 'failed') AND run.reused_from IS NULL
) AS ended
WHERE known.engine IS NOT NULL AND ended.all >= :least
""")

#: Deaths of workers that the sweep found by their leases, or that were told at once.
CUT_OFF = text("""
SELECT run.engine, count(*) AS runs
FROM job_events AS event JOIN engine_runs AS run ON run.id = CAST(event.data ->> 'run' AS uuid)
WHERE event.kind IN ('run_rescued', 'run_retried', 'run_failed')
  AND event.at > now() - make_interval(secs => :seconds)
  AND (event.data ->> 'why' = 'lease expired' OR event.data ->> 'kind' = 'worker_lost')
GROUP BY run.engine
""")

#: Those that no sweep has found yet.
EXPIRED = text("""
SELECT engine, count(*) AS runs FROM engine_runs
WHERE state = 'running' AND lease_expires_at < now() GROUP BY engine
""")


def read_failures(scene: Scene, readings: Readings) -> None:
    """Read each engine's share of failed runs, where enough have ended to speak of one."""
    alerts = scene.settings.alerts
    about = {"seconds": alerts.window_seconds, "least": alerts.least_runs}
    rows = scene.session.execute(ENDED, about).all()
    readings.put("failure_share", {labels(engine=row.engine): row.failed / row.all for row in rows})


def read_dead_leases(scene: Scene, readings: Readings) -> None:
    """Read how many runs lost their worker."""
    found: dict[str, int] = {}
    about = {"seconds": scene.settings.alerts.window_seconds}
    for rows in (scene.session.execute(CUT_OFF, about), scene.session.execute(EXPIRED)):
        for row in rows:
            found[row.engine] = found.get(row.engine, 0) + row.runs
    readings.put("dead_leases", {labels(engine=name): count for name, count in found.items()})
