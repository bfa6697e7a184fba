"""Says where batches stand, by counting."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import exists, func, select

from coordinator.errors import BatchNotFoundError
from schemas.batches import BatchView
from schemas.jobs import JobState
from schemas.tables import Batch, Job

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: Hexadecimal digits of a whole id.
ID_DIGITS = 32


def find_batch(session: Session, reference: str | UUID) -> UUID:
    """Return the id of the batch that an id, or the unique beginning of one, or a label means.

    Of several with the same label it is the newest.

    Raises:
        BatchNotFoundError: there is none, or more than one id begins so.
    """
    if isinstance(reference, UUID):
        return reference
    text = reference.strip()
    labelled = select(Batch.id).where(Batch.label == text.replace("\0", ""))
    found = session.scalars(labelled.order_by(Batch.created_at.desc()).limit(1)).all()
    digits = text.lower().replace("-", "")
    if not found and digits and len(digits) <= ID_DIGITS and set(digits) <= set("0123456789abcdef"):
        low, high = UUID(digits.ljust(ID_DIGITS, "0")), UUID(digits.ljust(ID_DIGITS, "f"))
        found = session.scalars(select(Batch.id).where(Batch.id.between(low, high)).limit(2)).all()
    if len(found) != 1:
        problem = "more than one batch begins" if found else "there is no batch that begins"
        message = f"{problem} with {reference[:60]!r}; `chordscribe batch status` shows them"
        raise BatchNotFoundError(message)
    return found[0]


def read_batch(session: Session, batch_id: UUID) -> BatchView:
    """Return a batch with how many of its jobs stand where; those that were replaced are left out.

    Raises:
        BatchNotFoundError: there is none of that id.
    """
    batch = session.get(Batch, batch_id, populate_existing=True)
    if batch is None:
        message = f"there is no batch {batch_id}"
        raise BatchNotFoundError(message)
    rows = session.execute(
        select(Job.state, Job.degraded, func.count())
        .where(Job.batch_id == batch_id, Job.replaced_by.is_(None))
        .group_by(Job.state, Job.degraded)
    ).all()
    counts = dict.fromkeys(JobState, 0)
    for state, _, count in rows:
        counts[JobState(state)] += count
    return BatchView(
        id=batch.id,
        label=batch.label,
        created_at=batch.created_at,
        paused=batch.paused_at is not None,
        sealed=batch.sealed_at is not None,
        counts=counts,
        degraded=sum(count for _, degraded, count in rows if degraded),
    )


def list_batches(session: Session, limit: int = 20) -> tuple[BatchView, ...]:
    """Return the newest batches."""
    newest = session.scalars(
        select(Batch.id)
        .where(exists().where(Job.batch_id == Batch.id))
        .order_by(Batch.created_at.desc())
        .limit(limit)
    ).all()
    return tuple(read_batch(session, batch_id) for batch_id in newest)
