"""Finds jobs that will not keep their deadline, then does what their policies say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from coordinator.dropping import drop_runs, fail_job
from coordinator.overview import read_lines
from schemas.database import record_event
from schemas.runs import FailureKind, RunState
from schemas.scheduling import DeadlinePolicy
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from schemas.settings import SchedulingSettings

#: Jobs that are looked at in one sweep: those whose deadlines come first.
MAX_LOOKED_AT = 1000


def keep_deadlines(session: Session, rules: SchedulingSettings, only: UUID | None = None) -> int:
    """Mark the open jobs that are expected to be late, then follow their policies.

    Args:
        session: an open transaction.
        rules: those by which the expected starts are found.
        only: look at this job alone.

    Returns:
        how many jobs were newly marked, or changed.
    """
    wanted = select(Job).where(Job.deadline.is_not(None), Job.finished_at.is_(None))
    if only is not None:
        wanted = wanted.where(Job.id == only)
    jobs = session.scalars(wanted.order_by(Job.deadline).limit(MAX_LOOKED_AT)).all()
    if not jobs:
        return 0
    ends = _expected_ends(session, rules)
    return sum(_look(session, job, ends) for job in jobs)


def _expected_ends(session: Session, rules: SchedulingSettings) -> dict[UUID, datetime]:
    """Return when each of the first runs of every line is expected to end."""
    return {
        run.id: start + timedelta(seconds=run.cost)
        for line in read_lines(session, rules)
        for run, start in zip(line.runs, line.starts(), strict=True)
        if start is not None
    }


def _look(session: Session, job: Job, ends: dict[UUID, datetime]) -> bool:
    late = [run for run in job.runs if _is_late(run, job, ends)]
    if not late:
        return False
    changed = job.at_risk_at is None
    if changed:
        job.at_risk_at = datetime.now(UTC)
        engines = [run.engine for run in late]
        record_event(session, job.id, "job_at_risk", deadline=str(job.deadline), engines=engines)
    policy = DeadlinePolicy(job.deadline_policy)
    if policy is DeadlinePolicy.FAIL:
        fail_job(session, job.id, f"it cannot keep its deadline {job.deadline:%Y-%m-%d %H:%M:%S}")
        return True
    if policy is DeadlinePolicy.DROP_SLOW_ENGINES:
        return bool(_drop(session, job, late, ends)) or changed
    return changed


def _is_late(run: EngineRun, job: Job, ends: dict[UUID, datetime]) -> bool:
    state = RunState(run.state)
    if state.terminal or job.deadline is None:
        return False
    now = datetime.now(UTC)
    begun = run.started_at if state is RunState.RUNNING and run.started_at else now
    end = ends.get(run.id, begun + timedelta(seconds=run.cost))
    return max(end, now) > job.deadline


def _drop(session: Session, job: Job, late: list[EngineRun], ends: dict[UUID, datetime]) -> int:
    """Leave out the late engines that have not begun; one engine at least stays."""
    dropped = [run for run in late if run.state == RunState.QUEUED.value]
    hopeful = [
        run
        for run in job.runs
        if run not in dropped and run.state not in {RunState.FAILED, RunState.CANCELLED}
    ]
    if not hopeful and dropped:
        far = datetime.max.replace(tzinfo=UTC)
        dropped.remove(min(dropped, key=lambda run: (ends.get(run.id, far), run.cost)))
    message = f"the engine could not keep the job's deadline {job.deadline:%Y-%m-%d %H:%M:%S}"
    return drop_runs(session, [run.id for run in dropped], FailureKind.TIMEOUT, message)
