"""Hands runs that are due to the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Update, func, select, update
from sqlalchemy.orm import aliased

from coordinator.app import know_queues
from coordinator.chord import aggregate_signature, job_chord
from schemas.names import QUEUE_AGGREGATION, engine_queue
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from celery import Celery
    from sqlalchemy.orm import Session

    from schemas.database import Database

#: Due runs that are looked at for one transaction: it costs as much for many jobs as for one, but
#: a worker that is given a run has to wait for its end.
PUBLISHED_RUNS = 16


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


def queue_length(app: Celery, queue: str) -> int:
    """Return how many messages wait in a queue.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    with app.pool.acquire(block=True) as connection:
        # A passive declaration would say the same, but refuses a queue that is empty.
        return int(connection.default_channel._size(queue))  # noqa: SLF001


def seconds_to_next(session: Session) -> float | None:
    """Return the seconds until a run falls due, at least 0; None when none will."""
    wait = func.extract("epoch", func.min(EngineRun.due_at) - func.now())
    seconds = session.scalar(select(wait).join(Job).where(Job.paused_at.is_(None)))
    return None if seconds is None else max(0.0, float(seconds))


def publish_next(database: Database, app: Celery) -> bool:
    """Publish the runs that are due of the jobs that come first; return whether there were any.

    The jobs' rows stay locked until the broker has taken their chords, so that two coordinators
    never publish a run twice. A coordinator that dies in between leaves the runs due: they are
    then published again, and their claims keep the engines from working twice.

    Raises:
        LedgerError: the database does not answer.
        kombu.exceptions.OperationalError: the broker does not answer; the runs stay due.
    """
    with database.transaction() as session:
        runs = session.connection().execute(_TAKE_DUE).all()
        if not runs:
            return False
        know_queues(app, {engine_queue(run.engine) for run in runs})
        chords: dict[UUID, list[tuple[UUID, str]]] = {}
        for run in sorted(runs, key=lambda run: (run.due_at, run.job_id, run.position)):
            chords.setdefault(run.job_id, []).append((run.id, run.engine))
        for job_id, header in chords.items():
            job_chord(app, job_id, header).apply_async()
    return True


def _take_due() -> Update:
    due = aliased(EngineRun)
    locked = (
        select(Job.id, due.due_at)
        .join(due, due.job_id == Job.id)
        .where(due.due_at <= func.now(), Job.paused_at.is_(None))
        .order_by(due.due_at, Job.id)
        .limit(PUBLISHED_RUNS)
        .with_for_update(of=Job, key_share=True, skip_locked=True)
        .cte("locked")
    )
    first = select(locked.c.id, func.min(locked.c.due_at).label("due_at")).group_by(locked.c.id)
    jobs = first.cte("first")
    return (
        update(EngineRun)
        .where(EngineRun.job_id == jobs.c.id, EngineRun.due_at <= func.now())
        .values(due_at=None, published_at=func.now())
        .returning(
            EngineRun.job_id,
            EngineRun.id,
            EngineRun.engine,
            EngineRun.position,
            jobs.c.due_at,
        )
    )


#: Takes the runs that are due of the jobs that come first; made once, as that costs as much as
#: the database's work on it.
_TAKE_DUE = _take_due()
