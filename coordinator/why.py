"""Explains why a job waits, and until when."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from coordinator.errors import JobNotFoundError
from coordinator.overview import MAX_ORDERED, read_lines
from schemas.dependency_tables import BatchDependency
from schemas.jobs import JobState
from schemas.queue import JobReason, RunReason
from schemas.runs import RunState
from schemas.scheduling import Place
from schemas.tables import EngineRun, Job, Owner, Pause

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from coordinator.order import Waiting
    from coordinator.overview import Ordered
    from schemas.settings import SchedulingSettings

#: Batches that are named.
MAX_TOLD = 5

#: What a job's earlier batches still have to do.
BATCHES = text("""
SELECT link.batch_id AS id, (SELECT count(*) FROM jobs
  WHERE jobs.batch_id = link.batch_id AND jobs.finished_at IS NULL) AS open
FROM batch_dependencies AS link WHERE link.job_id = :job ORDER BY link.batch_id LIMIT :most
""")


def explain(session: Session, job_id: UUID, rules: SchedulingSettings) -> JobReason:
    """Return why each of a job's runs stands where it does.

    Raises:
        JobNotFoundError: there is no such job.
    """
    job = session.get(Job, job_id)
    if job is None:
        message = f"there is no job {job_id}"
        raise JobNotFoundError(message)
    lines = {}
    if any(run.state == RunState.QUEUED.value for run in job.runs):
        lines = {line.engine: line for line in read_lines(session, rules)}
    runs = tuple(_explain_run(session, job, run, lines.get(run.engine)) for run in job.runs)
    ends = [run.expected_end for run in runs if run.state in {"queued", "running"}]
    known = [end for end in ends if end is not None]
    return JobReason(
        job_id=job_id,
        state=job.state,
        runs=runs,
        expected_end=max(known) if known and len(known) == len(ends) else None,
    )


def _explain_run(session: Session, job: Job, run: EngineRun, line: Ordered | None) -> RunReason:
    state = RunState(run.state)
    if state.terminal:
        return RunReason(engine=run.engine, state=state, reason=f"has {_ended(state)}")
    if state is RunState.RUNNING:
        began = run.started_at or datetime.now(UTC)
        end = max(began + timedelta(seconds=run.cost), datetime.now(UTC))
        reason = f"running on {run.owner} since {began:%H:%M:%S} UTC"
        return RunReason(engine=run.engine, state=state, reason=reason, expected_end=end)
    if run.place == Place.WAITING.value and line is not None:
        return _in_line(session, run, line)
    reason = _not_in_line(session, job, run, line.unable if line else None)
    return RunReason(engine=run.engine, state=state, reason=reason)


def _ended(state: RunState) -> str:
    return "been cancelled" if state is RunState.CANCELLED else str(state)


def _not_in_line(session: Session, job: Job, run: EngineRun, unable: str | None) -> str:
    if run.place == Place.PREPARING.value:
        return "its recording is being prepared: decoded, and searched for speech"
    if job.paused_at is not None:
        return f"held: the job is paused since {job.paused_at:%Y-%m-%d %H:%M:%S} UTC"
    if job.blockers:
        return f"held: comes after {_blockers(session, job)}"
    if run.due_at is not None and run.due_at > datetime.now(UTC):
        return f"tried again at {run.due_at:%H:%M:%S} UTC, after attempt {run.attempt}"
    if JobState(job.state).terminal:
        return f"the job is {job.state}"
    return f"next, but {unable}" if unable else "next: handed to the engine's workers"


def _blockers(session: Session, job: Job) -> str:
    """Say what the job comes after."""
    batches = session.execute(BATCHES, {"job": job.id, "most": MAX_TOLD}).all()
    whole = session.scalar(select(func.count()).where(BatchDependency.job_id == job.id)) or 0
    parts = [f"{_count(job.blockers - whole, 'job')} not ended yet"] if job.blockers > whole else []
    parts += [
        f"batch {row.id}, of which {_count(row.open, 'job')} not ended yet" for row in batches
    ]
    if whole > len(batches):
        parts.append(f"{whole - len(batches)} more batches")
    return "; after ".join(parts)


def _in_line(session: Session, run: EngineRun, line: Ordered) -> RunReason:
    stop = _stopped(line) or _owner_stopped(session, run.job_owner, line)
    index = next((n for n, one in enumerate(line.runs) if one.id == run.id), None)
    if index is None:
        ahead = f"more than {MAX_ORDERED} runs" if line.waiting > MAX_ORDERED else "others"
        reason = f"waiting: {stop or f'{ahead} are ahead'}"
        return RunReason(engine=run.engine, state=run.state, reason=reason)
    start = None if stop else line.starts()[index]
    reason = stop or _ahead(line.runs[:index], line.runs[index], line.taken.total())
    if start is not None:
        reason += f"; expected start {start:%H:%M:%S} UTC"
    return RunReason(
        engine=run.engine,
        state=run.state,
        reason=f"waiting: {reason}",
        position=index + 1,
        expected_start=start,
        expected_end=start + timedelta(seconds=run.cost) if start else None,
    )


def _stopped(line: Ordered) -> str | None:
    if line.unable and line.unable_since:
        return f"{line.unable} since {line.unable_since:%Y-%m-%d %H:%M:%S} UTC"
    return line.stopped


def _owner_stopped(session: Session, owner: str, line: Ordered) -> str | None:
    if session.get(Pause, ("owner", owner)) is not None:
        return f"the owner {owner} is paused"
    cap = session.scalar(select(Owner.max_running).where(Owner.name == owner))
    if cap is not None and line.taken[owner] >= cap:
        return f"{owner} has the {_count(cap, 'run')} at a time that its quota allows"
    if line.max_running is not None and line.taken.total() >= line.max_running:
        return f"the engine's quota allows {_count(line.max_running, 'run')} at a time"
    return None


def _ahead(before: Sequence[Waiting], mine: Waiting, taken: int) -> str:
    """Say how many go first, and by which part of the rule."""
    if not before:
        return f"first in line behind the {taken} that the workers have"
    counts: Counter[str] = Counter(_reason(one, mine) for one in before)
    parts = [f"{_count(count, 'run')} {why}" for why, count in counts.most_common()]
    verb = "is" if len(before) == 1 else "are"
    return f"{', '.join(parts)} {verb} ahead"


def _reason(one: Waiting, mine: Waiting) -> str:
    if one.priority < mine.priority:
        return "of higher priority"
    if one.overdue and one.priority > mine.priority:
        return "past the target"
    if one.owner != mine.owner:
        return f"of owner {one.owner} by share"
    if one.submitted_at <= mine.submitted_at:
        return "submitted earlier"
    return "with an earlier deadline"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
