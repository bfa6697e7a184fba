"""Lets jobs go on that waited for others, once those have ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, text, update

from coordinator.placing import release
from schemas.database import record_event, record_events
from schemas.dependency_tables import BatchDependency, Dependency
from schemas.jobs import JobState
from schemas.runs import Failure, FailureKind, RunState
from schemas.scheduling import FailedDependency
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy import Row
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
RETURNING link.job_id, 'after' AS what, earlier.id,
  nullif(earlier.state, 'completed') AS failed
""")

#: Those whose earlier batch has no job that has not ended, with the worst of what became of it.
#: A batch that something comes after gets no more jobs, so that it cannot become open again.
BATCHES_ENDED = text("""
WITH done AS MATERIALIZED (
  SELECT waited.id, (SELECT max(state) FROM jobs
                     WHERE batch_id = waited.id AND state <> 'completed') AS failed
  FROM (SELECT DISTINCT batch_id AS id FROM batch_dependencies
        WHERE CAST(:among AS uuid[]) IS NULL OR batch_id IN (
          SELECT batch_id FROM jobs WHERE id = ANY(CAST(:among AS uuid[])))) AS waited
  WHERE NOT EXISTS (
    SELECT FROM jobs WHERE batch_id = waited.id AND finished_at IS NULL)
)
DELETE FROM batch_dependencies AS link USING done
WHERE link.batch_id = done.id AND link.ctid = ANY(ARRAY(
    SELECT first.ctid FROM batch_dependencies AS first JOIN done ON done.id = first.batch_id
    LIMIT :most))
RETURNING link.job_id, 'after_batch' AS what, done.id, done.failed
""")


def resolve(session: Session, among: Collection[UUID] | None = None) -> int:
    """Let go on what waited for jobs that have ended; return how many dependencies that were.

    Args:
        session: an open transaction.
        among: look at these ended jobs alone, with their batches; None looks at all.
    """
    resolved = 0
    while among is None or among:
        rows = _ended(session, among)
        resolved += len(rows)
        # What is skipped has ended by it: others may come after that.
        among = _skip(session, {row.job_id: row for row in rows if row.failed is not None})
        _let_go(session, Counter(row.job_id for row in rows), among)
    return resolved


def _ended(session: Session, among: Collection[UUID] | None) -> list[Row[Any]]:
    """Take away the dependencies on jobs, on batches, that have ended; return them."""
    asked = {"among": None if among is None else list(among), "most": MAX_RESOLVED}
    return [row for which in (ENDED, BATCHES_ENDED) for row in session.execute(which, asked)]


def _let_go(session: Session, counts: Counter[UUID], skipped: Collection[UUID]) -> None:
    """Put the jobs in line that come after nothing any more."""
    if not counts:
        return
    fewer = (
        update(Job)
        .where(Job.id == bindparam("job"))
        .values(blockers=Job.blockers - bindparam("less"))
    )
    session.connection().execute(
        fewer, [{"job": job, "less": less} for job, less in sorted(counts.items())]
    )
    release(session, set(counts).difference(skipped))


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
    session.execute(delete(BatchDependency).where(BatchDependency.job_id.in_(skipped)))
    for job_id in skipped:
        row = failed[job_id]
        record_event(session, job_id, "job_skipped", **{row.what: str(row.id)}, was=row.failed)
    record_events(session, skipped, "job_cancelled")
    return set(skipped)
