"""Hands runs that are due to the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from coordinator.app import know_queues
from coordinator.broker import queue_length
from coordinator.chord import (
    Header,
    aggregate_signature,
    new_chord,
    publish_header,
    whole_chord,
)
from schemas.names import QUEUE_AGGREGATION, engine_queue
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from celery import Celery
    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from schemas.database import Database

#: Due runs that are looked at for one transaction: it costs as much for many jobs as for one, but
#: a worker that is given a run has to wait for its end.
PUBLISHED_RUNS = 32

#: Takes the runs that are due of the jobs that come first, and tells of each when it was published
#: before, of its job how many runs it has and how many of them were. Runs that repeat an earlier
#: job's transcript are not published: no chord counts them. Whose run is published once
#: more, has no chord any more in which all count: see `Job.one_chord`.
TAKE_DUE = text("""
WITH locked AS (
  SELECT job.id, job.one_chord, run.due_at
  FROM jobs AS job JOIN engine_runs AS run ON run.job_id = job.id
  WHERE run.due_at <= now() AND job.paused_at IS NULL
  ORDER BY run.due_at, job.id LIMIT :most
  FOR NO KEY UPDATE OF job SKIP LOCKED
), first AS (
  SELECT id, one_chord, min(due_at) AS due_at FROM locked GROUP BY id, one_chord
), due AS (
  SELECT run.id, first.due_at, first.one_chord, run.published_at AS before, job.runs, job.published
  FROM first JOIN engine_runs AS run ON run.job_id = first.id
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE published_at IS NOT NULL OR state <> 'succeeded') AS runs,
           count(published_at) AS published
    FROM engine_runs WHERE job_id = first.id) AS job
  WHERE run.due_at <= now()
), apart AS (
  UPDATE jobs SET one_chord = false FROM due JOIN engine_runs AS run ON run.id = due.id
  WHERE jobs.id = run.job_id AND jobs.one_chord AND due.before IS NOT NULL
)
UPDATE engine_runs AS run SET due_at = NULL, published_at = now()
FROM due WHERE run.id = due.id AND run.due_at <= now()
RETURNING run.job_id, run.id, run.engine, run.chunk, run.position, due.due_at,
          due.one_chord, due.before, due.runs, due.published
""")


def publish_aggregation(app: Celery, job_id: UUID) -> None:
    """Ask for a job's runs to be compared; asking twice does no harm.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    aggregate_signature(app, job_id).apply_async()


def queue_lengths(app: Celery, engines: Iterable[str]) -> dict[str, int]:
    """Return how many messages wait in each engine's queue, without those that a worker holds.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    return {engine: queue_length(app, engine_queue(engine)) for engine in engines}


def aggregations_waiting(app: Celery) -> int:
    """Return how many aggregations wait in their queue.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    return queue_length(app, QUEUE_AGGREGATION)


def seconds_to_next(session: Session) -> float | None:
    """Return the seconds until a run falls due, at least 0; None when none will."""
    wait = func.extract("epoch", func.min(EngineRun.due_at) - func.now())
    seconds = session.scalar(select(wait).join(Job).where(Job.paused_at.is_(None)))
    return None if seconds is None else max(0.0, float(seconds))


def publish_next(database: Database, app: Celery) -> int:
    """Publish the runs that are due of the jobs that come first; return how many there were.

    No more are due when there were fewer than `PUBLISHED_RUNS`.

    The jobs' rows stay locked until the broker has taken their tasks, so that two coordinators
    never publish a run twice. A coordinator that dies in between leaves the runs due: they are
    then published again, and their claims keep the engines from working twice.

    Raises:
        LedgerError: the database does not answer.
        kombu.exceptions.OperationalError: the broker does not answer; the runs stay due.
    """
    with database.transaction() as session:
        runs = session.connection().execute(TAKE_DUE, {"most": PUBLISHED_RUNS}).all()
        if not runs:
            return 0
        know_queues(app, {engine_queue(run.engine) for run in runs})
        jobs: dict[UUID, list[Row[Any]]] = {}
        for run in sorted(runs, key=lambda run: (run.due_at, run.job_id, run.position, run.chunk)):
            jobs.setdefault(run.job_id, []).append(run)
        with app.producer_or_acquire() as producer:
            for job_id, due in jobs.items():
                for header in _headers(job_id, due):
                    publish_header(app, producer, job_id, header)
    return len(runs)


def _headers(job_id: UUID, runs: Sequence[Row[Any]]) -> list[Header]:
    """Return the chord's parts: of the one in which all runs count, and of one for the others."""
    regular = [run for run in runs if run.one_chord and run.before is None]
    others = [run for run in runs if not (run.one_chord and run.before is None)]
    headers = []
    if regular:
        name, one = whole_chord(job_id), regular[0]
        headers.append(Header(name, one.runs, one.published == 0, _ids(regular)))
    if others:
        headers.append(Header(new_chord(job_id), len(others), begins=True, runs=_ids(others)))
    return headers


def _ids(runs: Sequence[Row[Any]]) -> list[tuple[UUID, str]]:
    return [(run.id, run.engine) for run in runs]
