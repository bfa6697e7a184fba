"""Finds what holds a new job back: a paused batch, jobs that come first, batches that do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text, update

from coordinator.errors import BadRequestError, BatchNotFoundError, BatchSealedError
from schemas.dependency_tables import BatchDependency, Dependency
from schemas.tables import Batch, Job

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from schemas.scheduling import Schedule

#: The most dependencies that are written down together.
MAX_LINKS = 1_000_000

#: A sealed batch has one owner's jobs, and gets no more: only others have to be looked through.
BATCHES = text("""
SELECT batch.id, batch.sealed_at IS NOT NULL AS sealed,
  EXISTS (SELECT FROM jobs WHERE jobs.batch_id = batch.id AND jobs.finished_at IS NULL) AS open
FROM batches AS batch
WHERE batch.id = ANY(CAST(:batches AS uuid[]))
  AND CASE WHEN batch.sealed_at IS NOT NULL THEN batch.sealed_for = :owner
      ELSE NOT EXISTS (SELECT FROM jobs WHERE jobs.batch_id = batch.id AND jobs.owner <> :owner) END
""")


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a new job, or each of several, comes after."""

    owner: str
    batch_id: UUID | None = None
    #: Since when its own batch is paused.
    paused_at: datetime | None = None
    #: The jobs that have not ended; the batches that have jobs that have not.
    jobs: tuple[UUID, ...] = ()
    batches: tuple[UUID, ...] = ()
    #: The batches that nothing came after before.
    unsealed: tuple[UUID, ...] = ()

    def columns(self) -> dict[str, Any]:
        """Return what the job's row says of it."""
        return {
            "batch_id": self.batch_id,
            "paused_at": self.paused_at,
            "blockers": len(self.jobs) + len(self.batches),
        }


def find_earlier(
    session: Session, schedule: Schedule, batch_id: UUID | None, count: int = 1
) -> Earlier:
    """Return what so many new jobs of a batch come after; until the commit, that stays so.

    There are no cycles: a job only comes after jobs that are there already, and a batch that
    something comes after takes no more.

    Raises:
        BadRequestError: a job or a batch that it comes after does not exist, or is another owner's,
            or the batch is its own; or those are more than a million dependencies.
        BatchNotFoundError: there is no such batch.
        BatchSealedError: other jobs come after its batch.
    """
    if batch_id is not None and batch_id in schedule.after_batches:
        message = f"a job of batch {batch_id} cannot come after the whole of that batch"
        raise BadRequestError(message)
    own = _lock(session, batch_id, schedule.after_batches)
    jobs = _open_jobs(session, schedule.after, schedule.owner)
    batches, unsealed = _open_batches(session, schedule.after_batches, schedule.owner)
    paused_at = own.paused_at if own else None
    links = count * (len(jobs) + len(batches))
    if links > MAX_LINKS:
        message = f"{links:,} dependencies at a time; at most {MAX_LINKS:,} are accepted together"
        raise BadRequestError(message)
    return Earlier(schedule.owner, batch_id, paused_at, jobs, batches, unsealed)


def write_earlier(session: Session, job_ids: Collection[UUID], earlier: Earlier) -> None:
    """Write down what new jobs come after; those batches take no more jobs from then on."""
    jobs = [{"job_id": job, "after_id": first} for job in job_ids for first in earlier.jobs]
    if jobs:
        session.execute(insert(Dependency), jobs)
    batches = [{"job_id": job, "batch_id": first} for job in job_ids for first in earlier.batches]
    if batches:
        session.execute(insert(BatchDependency), batches)
    if earlier.unsealed:
        session.execute(
            update(Batch)
            .where(Batch.id.in_(earlier.unsealed))
            .values(sealed_at=func.now(), sealed_for=earlier.owner)
            .execution_options(synchronize_session=False)
        )


def _lock(session: Session, own: UUID | None, others: Sequence[UUID]) -> Batch | None:
    """Lock a new job's batch against being sealed, those that it seals against new jobs.

    In the order of their ids, so that submissions never wait for each other in a circle.
    """
    unsealed = select(Batch.id).where(Batch.id.in_(others), Batch.sealed_at.is_(None))
    found = set(session.scalars(unsealed)) if others else set()
    batch = None
    for one in sorted(found | ({own} if own else set())):
        if one != own:
            session.get(Batch, one, with_for_update={"key_share": True})
            continue
        batch = session.get(Batch, one, with_for_update={"read": True})
    if own is not None:
        _check_own(own, batch)
    return batch


def _check_own(batch_id: UUID, batch: Batch | None) -> None:
    if batch is None:
        message = f"there is no batch {batch_id}"
        raise BatchNotFoundError(message)
    if batch.sealed_at is not None:
        message = (
            f"batch {batch_id} takes no more jobs, as others come after it since "
            f"{batch.sealed_at:%Y-%m-%d %H:%M:%S%z}: put the job into a new batch"
        )
        raise BatchSealedError(message)


def _open_jobs(session: Session, after: Sequence[UUID], owner: str) -> tuple[UUID, ...]:
    """Return those of the jobs that have not ended yet."""
    if not after:
        return ()
    rows = session.execute(
        select(Job.id, Job.owner, Job.finished_at).where(Job.id.in_(after))
    ).all()
    _refuse(after, {row.id for row in rows if row.owner == owner}, "job", owner)
    return tuple(row.id for row in rows if row.finished_at is None)


def _open_batches(
    session: Session, after: Sequence[UUID], owner: str
) -> tuple[tuple[UUID, ...], tuple[UUID, ...]]:
    """Return those of the batches with jobs that have not ended, those that are to be sealed."""
    if not after:
        return (), ()
    rows = session.execute(BATCHES, {"batches": list(after), "owner": owner}).all()
    _refuse(after, {row.id for row in rows}, "batch", owner)
    return (
        tuple(row.id for row in rows if row.open),
        tuple(row.id for row in rows if not row.sealed),
    )


def _refuse(asked: Collection[UUID], mine: Collection[UUID], what: str, owner: str) -> None:
    """Refuse what is another's; whether that exists is not for this owner to know."""
    strange = sorted(set(asked) - set(mine), key=str)
    if strange:
        message = f"it comes after {strange[0]}, which is no {what} of the owner {owner}"
        raise BadRequestError(message)
