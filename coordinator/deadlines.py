"""Finds jobs that will not keep their deadline, then does what their policies say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from coordinator.dropping import drop_runs, fail_job
from coordinator.overview import read_lines
from schemas.database import record_event
from schemas.runs import FailureKind, RunState
from schemas.scheduling import DeadlinePolicy, Place
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
    expected = _expect(session, rules)
    return sum(_look(session, job, expected) for job in jobs)


@dataclass(frozen=True)
class _Expected:
    """When what waits is expected to be done."""

    #: The ends of the first runs of every line.
    ends: dict[UUID, datetime]
    #: Where a line is longer than that, by engine: the rest of it does not start before.
    rest: dict[str, datetime]

    def end(self, run: EngineRun, now: datetime) -> datetime:
        """Return when a run is expected to end, at the earliest."""
        if run.id in self.ends:
            return self.ends[run.id]
        begun = now
        if run.state == RunState.RUNNING.value and run.started_at:
            begun = run.started_at
        elif run.place == Place.WAITING.value:
            begun = self.rest.get(run.engine, now)
        return begun + timedelta(seconds=run.cost)


def _expect(session: Session, rules: SchedulingSettings) -> _Expected:
    found = _Expected({}, {})
    for line in read_lines(session, rules):
        for run, start in zip(line.runs, line.starts(), strict=True):
            if start is None:
                break
            found.ends[run.id] = start + timedelta(seconds=run.cost)
            if line.waiting > len(line.runs):
                found.rest[line.engine] = start
    return found


def _look(session: Session, job: Job, expected: _Expected) -> bool:
    late = [run for run in job.runs if _is_late(run, job, expected)]
    if not late:
        return False
    changed = job.at_risk_at is None
    if changed:
        job.at_risk_at = datetime.now(UTC)
        engines = [run.engine for run in late]
        record_event(session, job.id, "job_at_risk", deadline=str(job.deadline), engines=engines)
    policy = DeadlinePolicy(job.deadline_policy)
    if policy is DeadlinePolicy.FAIL:
        message = f"it cannot keep its deadline {job.deadline:%Y-%m-%d %H:%M:%S}"
        fail_job(session, job.id, message, FailureKind.TIMEOUT)
        return True
    if policy is DeadlinePolicy.DROP_SLOW_ENGINES:
        return bool(_drop(session, job, late, expected)) or changed
    return changed


def _is_late(run: EngineRun, job: Job, expected: _Expected) -> bool:
    if RunState(run.state).terminal or job.deadline is None:
        return False
    now = datetime.now(UTC)
    return max(expected.end(run, now), now) > job.deadline


def _drop(session: Session, job: Job, late: list[EngineRun], expected: _Expected) -> int:
    """Leave out the late engines that have not begun; one engine at least stays."""
    begun = _engines(job, RunState.RUNNING, RunState.SUCCEEDED)
    left = begun | _engines(job, RunState.QUEUED)
    dropped = {run.engine for run in late} - begun
    if dropped and dropped == left:
        now = datetime.now(UTC)
        ends = {engine: max(_ends(job, engine, expected, now)) for engine in dropped}
        dropped.remove(min(dropped, key=lambda engine: (ends[engine], engine)))
    runs = [r.id for r in job.runs if r.engine in dropped and r.state == RunState.QUEUED.value]
    message = f"the engine could not keep the job's deadline {job.deadline:%Y-%m-%d %H:%M:%S}"
    return drop_runs(session, runs, FailureKind.TIMEOUT, message)


def _engines(job: Job, *states: RunState) -> set[str]:
    return {run.engine for run in job.runs if run.state in states}


def _ends(job: Job, engine: str, expected: _Expected, now: datetime) -> list[datetime]:
    return [expected.end(run, now) for run in job.runs if run.engine == engine]
