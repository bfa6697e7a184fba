"""Lets jobs wait for others, until those have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, text, update

from coordinator.errors import BadRequestError
from coordinator.placing import release
from schemas.database import record_event, record_events
from schemas.jobs import JobState
from schemas.runs import Failure, FailureKind, RunState
from schemas.scheduling import FailedDependency
from schemas.tables import Dependency, EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

#: Dependencies resolved in one sweep; the rest waits for the next.
MAX_RESOLVED = 10_000

#: Those whose earlier job has ended, with what became of it.
ENDED = text("""
DELETE FROM dependencies AS link USING jobs AS earlier
WHERE earlier.id = link.after_id AND earlier.finished_at IS NOT NULL
  AND (CAST(:among AS uuid[]) IS NULL OR link.after_id = ANY(CAST(:among AS uuid[])))
  AND link.ctid = ANY(ARRAY(
    SELECT first.ctid FROM dependencies AS first JOIN jobs ON jobs.id = first.after_id
    WHERE jobs.finished_at IS NOT NULL
      AND (CAST(:among AS uuid[]) IS NULL OR first.after_id = ANY(CAST(:among AS uuid[])))
    LIMIT :most))
RETURNING link.job_id, earlier.id, earlier.state
""")


def open_among(session: Session, after: Sequence[UUID], owner: str) -> tuple[UUID, ...]:
    """Return those of the jobs that have not ended yet.

    A job can only come after jobs that are there already, so there are no cycles.

    Raises:
        BadRequestError: one of them does not exist, or is another owner's.
    """
    if not after:
        return ()
    rows = session.execute(
        select(Job.id, Job.owner, Job.finished_at).where(Job.id.in_(after))
    ).all()
    strange = sorted(set(after) - {row.id for row in rows if row.owner == owner}, key=str)
    if strange:
        # Whether it exists is not for another owner to know.
        message = f"it comes after {strange[0]}, which is no job of the owner {owner}"
        raise BadRequestError(message)
    return tuple(row.id for row in rows if row.finished_at is None)


def link(session: Session, job_id: UUID, after: Collection[UUID]) -> None:
    """Write down which jobs a new job comes after."""
    if after:
        rows = [{"job_id": job_id, "after_id": earlier} for earlier in after]
        session.execute(insert(Dependency), rows)


def resolve(session: Session, among: Collection[UUID] | None = None) -> int:
    """Let go on what waited for jobs that have ended; return how many dependencies that were.

    Args:
        session: an open transaction.
        among: look at these ended jobs alone; None looks at all.
    """
    asked = {"among": None if among is None else list(among), "most": MAX_RESOLVED}
    rows = session.execute(ENDED, asked).all()
    failed = {row.job_id: row for row in rows if row.state != JobState.COMPLETED.value}
    skipped = _skip(session, failed)
    counts: dict[UUID, int] = {}
    for row in rows:
        counts[row.job_id] = counts.get(row.job_id, 0) + 1
    if counts:
        fewer = (
            update(Job)
            .where(Job.id == bindparam("job"))
            .values(blockers=Job.blockers - bindparam("less"))
        )
        session.connection().execute(
            fewer, [{"job": job, "less": less} for job, less in sorted(counts.items())]
        )
        going = set(counts) - skipped
        release(session, going)
    if skipped:
        return len(rows) + resolve(session, skipped)  # what comes after those
    return len(rows)


def _skip(session: Session, failed: dict[UUID, Any]) -> set[UUID]:
    """Cancel the jobs that shall not run without those that failed."""
    if not failed:
        return set()
    failure = Failure(
        kind=FailureKind.CANCELLED, message="a job that it comes after did not end well"
    )
    skipped = session.scalars(
        update(Job)
        .where(
            Job.id.in_(failed),
            Job.finished_at.is_(None),
            Job.on_failed_dependency == FailedDependency.SKIP.value,
        )
        .values(
            state=JobState.CANCELLED.value,
            finished_at=func.now(),
            failure=failure.model_dump(mode="json"),
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    session.execute(
        update(EngineRun)
        .where(EngineRun.job_id.in_(skipped), EngineRun.state == RunState.QUEUED.value)
        .values(state=RunState.CANCELLED.value, finished_at=func.now(), place=None)
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(Dependency).where(Dependency.job_id.in_(skipped)))
    for job_id in skipped:
        row = failed[job_id]
        record_event(session, job_id, "job_skipped", after=str(row.id), was=row.state)
    record_events(session, skipped, "job_cancelled")
    return set(skipped)
