"""Changes many jobs of a batch, some in each transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from coordinator.batches.again import do_again
from coordinator.ledger import request_cancel
from schemas.jobs import JobState
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from schemas.database import Database
    from schemas.settings import Settings

#: Jobs that one transaction changes.
TOGETHER = 50


def cancel_batch(database: Database, batch_id: UUID) -> int:
    """Cancel what has not ended of a batch; return how many jobs that were."""
    wanted = and_(Job.finished_at.is_(None), Job.cancel_requested_at.is_(None))
    count = 0
    for jobs in _jobs(database, batch_id, wanted):
        with database.transaction() as session:
            for job_id in jobs:
                request_cancel(session, job_id)
        count += len(jobs)
    return count


def retry_failed(
    database: Database, settings: Settings, batch_id: UUID, *, degraded: bool = False
) -> int:
    """Try a batch's failed jobs again, those that miss an engine too if wanted; return how many.

    Engines that answered are not asked again.
    """
    failed: ColumnElement[bool] = Job.state == JobState.FAILED.value
    return _again(database, settings, batch_id, or_(failed, Job.degraded) if degraded else failed)


def add_engines(
    database: Database, settings: Settings, batch_id: UUID, engines: Sequence[str]
) -> int:
    """Have more engines hear what a batch has completed; return how many jobs that makes.

    The engines that answered are not asked again. Jobs that have not ended are left as they are.
    """
    return _again(database, settings, batch_id, Job.state == JobState.COMPLETED.value, engines)


def _again(
    database: Database,
    settings: Settings,
    batch_id: UUID,
    which: ColumnElement[bool],
    engines: Sequence[str] = (),
) -> int:
    count = 0
    ended = and_(which, Job.finished_at.is_not(None), Job.replaced_by.is_(None))
    for jobs in _jobs(database, batch_id, ended):
        with database.transaction() as session:
            made = [do_again(session, settings, job_id, engines) for job_id in jobs]
        count += sum(job is not None for job in made)
    return count


def _jobs(
    database: Database, batch_id: UUID, which: ColumnElement[bool]
) -> Iterator[Sequence[UUID]]:
    """Yield the jobs that are there now, each once, in the order of their ids."""
    with database.reading() as session:
        found = session.scalars(
            select(Job.id).where(Job.batch_id == batch_id, which).order_by(Job.id)
        ).all()
    for start in range(0, len(found), TOGETHER):
        yield found[start : start + TOGETHER]
