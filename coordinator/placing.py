"""Puts runs into their engines' lines, or keeps them out of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import DateTime, Double, bindparam, case, func, insert, or_, select, update

from coordinator.errors import BadRequestError, QuotaError
from coordinator.speeds import expected_costs
from schemas.runs import RunState
from schemas.scheduling import Place, Priority, Schedule
from schemas.settings import SchedulingSettings
from schemas.tables import EngineRun, Job, Owner

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

    from schemas.audio import AudioRef, ChunkPlan

HELD, WAITING, WINDOW = Place.HELD.value, Place.WAITING.value, Place.WINDOW.value
PREPARING = Place.PREPARING.value

#: By the database's clock, so that no client's clock decides who goes first.
INSERT_RUNS = insert(EngineRun).values(
    latest_start=func.coalesce(
        bindparam("must_start", type_=DateTime(timezone=True)),
        func.now() + func.make_interval(0, 0, 0, 0, 0, 0, bindparam("target", type_=Double)),
    )
)


def schedule_columns(session: Session, schedule: Schedule) -> dict[str, Any]:
    """Return a new job's columns for its schedule.

    Raises:
        BadRequestError: the deadline has passed.
        QuotaError: the owner may not have that priority.
    """
    if schedule.deadline is not None and schedule.deadline <= datetime.now(UTC):
        message = f"the deadline {schedule.deadline:%Y-%m-%d %H:%M:%S%z} has passed"
        raise BadRequestError(message)
    check_priority(session, schedule.owner, schedule.priority)
    return {
        "owner": schedule.owner,
        "priority": schedule.priority.rank,
        "deadline": schedule.deadline,
        "deadline_policy": schedule.deadline_policy.value,
        "on_failed_dependency": schedule.on_failed_dependency.value,
    }


def check_priority(session: Session, owner: str, priority: Priority) -> None:
    """Do nothing where the owner may have that priority.

    Raises:
        QuotaError: the owner may not.
    """
    if priority is Priority.LOW:
        return
    top = session.scalar(select(Owner.top_priority).where(Owner.name == owner))
    if top is not None and priority.rank < top:
        message = f"{owner} may submit {Priority.of_rank(top)} jobs at most, not {priority}"
        raise QuotaError(message)


def insert_runs(
    session: Session,
    jobs: Sequence[tuple[Mapping[str, Any], Collection[str], AudioRef]],
    rules: SchedulingSettings,
    plans: Mapping[str, ChunkPlan] | None = None,
) -> None:
    """Insert the runs of new jobs, with all that decides their order, in one statement.

    Args:
        session: an open transaction.
        jobs: the row, the engines and the recording of each.
        rules: they have the targets of the priorities.
        plans: how the recordings are cut that are prepared, by their SHA-256. The runs of the
            others are in no line yet. None: every run is of a whole recording, and in line.
    """
    plans = plans or {}
    lengths = {sha: plan.chunks[-1].end for sha, plan in plans.items()}
    asked = [(engines, audio) for _, engines, audio in jobs]
    costs = expected_costs(session, rules, asked, lengths)
    targets = rules.targets()
    rows = [
        {
            "id": uuid4(),
            "job_id": job["id"],
            "engine": engine,
            "position": position,
            "state": RunState.QUEUED.value,
            "place": first_place(job),
            "job_owner": job["owner"],
            "priority": job["priority"],
            "must_start": must_start(job["deadline"], cost),
            # The longer goes first among equals, which shortens the whole (LPT).
            "target": targets[job["priority"]] - cost,
            "cost": cost,
            **columns,
        }
        for (job, engines, audio), seconds in zip(jobs, costs, strict=True)
        for position, engine in enumerate(engines)
        for cost, columns in chunk_columns(plans.get(audio.sha256), seconds[engine])
    ]
    # `returning`, so that it is one statement for all.
    session.execute(INSERT_RUNS.returning(EngineRun.id), rows)


def chunk_columns(
    plan: ChunkPlan | None, seconds: float
) -> Iterator[tuple[float, dict[str, float | None]]]:
    """Yield, for each chunk of a recording, what it is expected to cost, its run's columns.

    Args:
        plan: how the recording is cut; None: it is not, or not yet.
        seconds: what the whole recording is expected to cost.
    """
    if plan is None or len(plan.chunks) == 1:
        yield seconds, {"chunk": 0, "chunk_start": 0.0, "chunk_seconds": None}
        return
    whole = plan.chunks[-1].end
    for number, span in enumerate(plan.chunks):
        columns: dict[str, float | None] = {
            "chunk": number,
            "chunk_start": span.start,
            "chunk_seconds": span.seconds,
        }
        yield seconds * span.seconds / whole, columns


def first_place(job: Mapping[str, Any]) -> str:
    """Return where the runs of a job that nobody has worked on yet stand."""
    if job.get("preparing"):
        return PREPARING
    return HELD if job["paused_at"] or job.get("blockers") else WAITING


def must_start(deadline: datetime | None, cost: float) -> datetime | None:
    """Return when a run has to start to keep a deadline; None where there is none."""
    return None if deadline is None else deadline - timedelta(seconds=cost)


def hold(session: Session, job_ids: Collection[UUID]) -> None:
    """Take the jobs' queued runs out of line and window."""
    session.execute(
        update(EngineRun)
        .where(
            EngineRun.job_id.in_(job_ids),
            EngineRun.state == RunState.QUEUED.value,
            EngineRun.place.in_((WAITING, WINDOW)),
        )
        .values(place=HELD)
        .execution_options(synchronize_session=False)
    )


def release(session: Session, job_ids: Collection[UUID]) -> None:
    """Put held runs where they belong, but for jobs that are paused or come after others.

    A run that was admitted before it was held has its place back: the broker may have it.
    """
    free = select(Job.id).where(Job.id.in_(job_ids), Job.paused_at.is_(None), Job.blockers == 0)
    admitted = or_(EngineRun.due_at.is_not(None), EngineRun.published_at.is_not(None))
    session.execute(
        update(EngineRun)
        .where(
            EngineRun.job_id.in_(free),
            EngineRun.place == HELD,
            EngineRun.state == RunState.QUEUED.value,
        )
        .values(place=case((admitted, WINDOW), else_=WAITING))
        .execution_options(synchronize_session=False)
    )
