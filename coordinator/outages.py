"""Tells of engines that cannot take what waits for them, gives them up in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import text

from coordinator.dropping import drop_runs, fail_job
from coordinator.overview import read_lines
from schemas.names import CHANNEL_JOBS
from schemas.queue import EngineOutage
from schemas.runs import FailureKind
from schemas.scheduling import DeadlinePolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from coordinator.overview import Ordered
    from schemas.settings import SchedulingSettings

#: Jobs in whose stories an outage is told; runs that one sweep ends because of one.
MAX_TOLD, MAX_GIVEN_UP = 1000, 1000
#: Days after which an outage that is over is forgotten.
KEPT_DAYS = 90

#: One that ended before it was told of was none to speak of.
END = text("""
WITH over AS (
  SELECT id, told_at FROM outages
  WHERE ended_at IS NULL AND engine <> ALL(CAST(:unable AS text[]))
), forgotten AS (
  DELETE FROM outages WHERE id IN (SELECT id FROM over WHERE told_at IS NULL)
    OR ended_at < now() - make_interval(days => :days)
)
UPDATE outages SET ended_at = now()
WHERE id IN (SELECT id FROM over WHERE told_at IS NOT NULL)
RETURNING engine, extract(epoch FROM now() - since)::float8 AS seconds
""")

BEGIN = text("""
INSERT INTO outages (engine, reason, waiting)
SELECT * FROM unnest(
  CAST(:engines AS text[]), CAST(:reasons AS text[]), CAST(:waiting AS int[]))
ON CONFLICT (engine) WHERE ended_at IS NULL
DO UPDATE SET reason = excluded.reason, waiting = excluded.waiting
""")

TELL = text("""
WITH told AS (
  UPDATE outages SET told_at = now()
  WHERE ended_at IS NULL AND told_at IS NULL
    AND since <= now() - make_interval(secs => :patience)
  RETURNING engine, reason, waiting, since
), jobs AS (
  SELECT DISTINCT told.engine, told.reason, run.job_id
  FROM told CROSS JOIN LATERAL (
    SELECT job_id FROM engine_runs AS run
    WHERE run.place IN ('waiting', 'window') AND run.engine = told.engine AND run.state = 'queued'
    LIMIT :most) AS run
), story AS (
  INSERT INTO job_events (job_id, kind, data)
  SELECT job_id, 'engine_unserved', jsonb_build_object('engine', engine, 'why', reason) FROM jobs
  RETURNING pg_notify(:channel, CAST(job_id AS text))
)
SELECT engine, reason, waiting, since FROM told WHERE (SELECT count(*) FROM story) >= 0
""")

#: What has waited too long for an engine that has been unable for as long.
GIVE_UP = text("""
SELECT run.id, run.job_id, run.engine, outage.reason,
       job.deadline_policy = :fail OR (job.request ->> 'require_all')::bool AS fails
FROM outages AS outage
JOIN engine_runs AS run ON run.engine = outage.engine
JOIN jobs AS job ON job.id = run.job_id
WHERE outage.ended_at IS NULL AND run.place IN ('waiting', 'window') AND run.state = 'queued'
  AND greatest(outage.since, run.submitted_at) < now() - make_interval(secs => :patience)
LIMIT :most
""")

OPEN = text("""
SELECT engine, reason, waiting, since, told_at FROM outages
WHERE ended_at IS NULL AND told_at IS NOT NULL ORDER BY engine
""")

log = structlog.get_logger("coordinator")


def watch_engines(session: Session, rules: SchedulingSettings) -> int:
    """Write down which engines cannot take what waits for them; tell of those that last.

    Returns:
        how many engines were told of, with how many runs were given up.
    """
    unable = [line for line in read_lines(session, rules, limit=1) if _is_unable(line)]
    engines = {"unable": [line.engine for line in unable], "days": KEPT_DAYS}
    for row in session.execute(END, engines):
        log.info("engine_served_again", engine=row.engine, after_seconds=round(row.seconds))
    if not unable:
        return 0
    session.execute(
        BEGIN,
        {
            "engines": [line.engine for line in unable],
            "reasons": [line.unable for line in unable],
            "waiting": [line.waiting + line.handed for line in unable],
        },
    )
    return _tell(session, rules) + _give_up(session, rules)


def read_outages(session: Session) -> tuple[EngineOutage, ...]:
    """Return the engines that cannot take what waits for them, for so long that it was told."""
    return tuple(EngineOutage(**row._asdict()) for row in session.execute(OPEN))


def _is_unable(line: Ordered) -> bool:
    return line.unable is not None and line.waiting + line.handed > 0


def _tell(session: Session, rules: SchedulingSettings) -> int:
    about = {"patience": rules.engine_alert_seconds, "most": MAX_TOLD, "channel": CHANNEL_JOBS}
    told = session.execute(TELL, about).all()
    for row in told:
        since = row.since.isoformat(timespec="seconds")
        log.warning(
            "engine_unserved", engine=row.engine, why=row.reason, waiting=row.waiting, since=since
        )
    return len(told)


def _give_up(session: Session, rules: SchedulingSettings) -> int:
    """End what has waited too long: the whole job where its policy says so, else the run alone."""
    about = {
        "patience": rules.engine_wait_seconds,
        "most": MAX_GIVEN_UP,
        "fail": DeadlinePolicy.FAIL.value,
    }
    runs = session.execute(GIVE_UP, about).all()
    for job_id, run in {run.job_id: run for run in runs if run.fails}.items():
        fail_job(session, job_id, _message(run, rules), FailureKind.NOT_INSTALLED)
    for engine, others in _by_engine([run for run in runs if not run.fails]).items():
        message = _message(others[0], rules)
        drop_runs(session, [run.id for run in others], FailureKind.NOT_INSTALLED, message)
        log.warning("engine_given_up", engine=engine, runs=len(others))
    return len(runs)


def _by_engine(runs: Sequence[Row[Any]]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {}
    for run in runs:
        found.setdefault(run.engine, []).append(run)
    return found


def _message(run: Row[Any], rules: SchedulingSettings) -> str:
    return f"{run.engine} was waited for {rules.engine_wait_seconds:.0f} s: {run.reason}"
