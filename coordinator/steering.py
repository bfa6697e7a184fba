"""What an operator changes while jobs wait: priorities, quotas, pauses."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from coordinator.errors import BadRequestError, JobNotFoundError
from coordinator.ledger import read_job
from coordinator.placing import check_priority
from schemas.database import record_work
from schemas.jobs import JobState
from schemas.names import CHANNEL_WORK, ENGINE_NAME_PATTERN
from schemas.runs import RunState
from schemas.scheduling import OWNER_PATTERN, Priority
from schemas.tables import EngineLine, EngineRun, Job, Owner, Pause

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from schemas.jobs import JobView
    from schemas.settings import SchedulingSettings

#: What can be paused as a whole, besides jobs and batches.
Whole = Literal["owner", "engine", "all"]
#: The largest weight and cap; a share finer than that is none.
MAX_WEIGHT, MAX_CAP = 1e6, 1_000_000


def prioritise(
    session: Session, job_id: UUID, priority: Priority, rules: SchedulingSettings
) -> JobView:
    """Change the priority of a job's runs that still wait; a job that has ended stays as it is.

    Raises:
        JobNotFoundError: there is none of that id.
        QuotaError: its owner may not have that priority.
    """
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        message = f"there is no job {job_id}"
        raise JobNotFoundError(message)
    if not JobState(job.state).terminal and job.priority != priority.rank:
        check_priority(session, job.owner, priority)
        job.priority = priority.rank
        seconds = rules.targets()[priority.rank] - EngineRun.cost
        target = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        kept = EngineRun.latest_start if job.deadline else EngineRun.submitted_at + target
        session.execute(
            update(EngineRun)
            .where(EngineRun.job_id == job_id, EngineRun.state == RunState.QUEUED.value)
            .values(priority=priority.rank, latest_start=kept)
            .execution_options(synchronize_session=False)
        )
        record_work(session, job_id, "job_prioritised", priority=priority.value)
        session.flush()
    return read_job(session, job_id)


def pause_whole(session: Session, kind: Whole, name: str = "") -> None:
    """Admit nothing more of an owner or an engine, or at all; what is with the workers goes on.

    Raises:
        BadRequestError: that cannot be the name of one.
    """
    _check_name(kind, name)
    session.execute(insert(Pause).values(kind=kind, name=name).on_conflict_do_nothing())


def resume_whole(session: Session, kind: Whole, name: str = "") -> None:
    """Take that back.

    Raises:
        BadRequestError: that cannot be the name of one.
    """
    _check_name(kind, name)
    session.execute(delete(Pause).where(Pause.kind == kind, Pause.name == name))
    _wake(session)


def set_owner_quota(
    session: Session,
    owner: str,
    *,
    weight: float | None = None,
    max_running: int | None = None,
    top_priority: Priority | None = None,
) -> None:
    """Set what an owner may use; what is None stays as it is.

    Args:
        session: an open transaction.
        owner: whose quota it is.
        weight: the share of the engines' time, against the other owners' weights.
        max_running: the most runs that each engine's workers are given at a time.
        top_priority: the highest priority that the owner's jobs may have.

    Raises:
        BadRequestError: a value is none that a quota can have.
    """
    _check_name("owner", owner)
    if weight is not None and not (math.isfinite(weight) and 0 < weight <= MAX_WEIGHT):
        message = f"a weight is a number above 0, at most {MAX_WEIGHT:g}; not {weight}"
        raise BadRequestError(message)
    _check_cap(max_running)
    given = {
        "weight": weight,
        "max_running": max_running,
        "top_priority": None if top_priority is None else top_priority.rank,
    }
    values = {name: value for name, value in given.items() if value is not None}
    made = insert(Owner).values(name=owner, **values)
    session.execute(
        made.on_conflict_do_update(index_elements=["name"], set_={"name": owner, **values})
    )
    _wake(session)


def set_engine_quota(session: Session, engine: str, max_running: int) -> None:
    """Set the most runs that an engine's workers are given at a time.

    Raises:
        BadRequestError: it is less than 1, or no engine can have that name.
    """
    _check_name("engine", engine)
    _check_cap(max_running)
    made = insert(EngineLine).values(engine=engine, max_running=max_running)
    session.execute(
        made.on_conflict_do_update(index_elements=["engine"], set_={"max_running": max_running})
    )
    _wake(session)


def _check_cap(cap: int | None) -> None:
    if cap is not None and not 1 <= cap <= MAX_CAP:
        message = f"a cap is 1 to {MAX_CAP} runs at a time, not {cap}; to stop all, pause"
        raise BadRequestError(message)


def _check_name(kind: Whole, name: str) -> None:
    patterns = {"owner": OWNER_PATTERN, "engine": ENGINE_NAME_PATTERN, "all": ""}
    if not re.fullmatch(patterns[kind], name):
        message = f"'{name[:60]}' cannot be the name of an {kind}"
        raise BadRequestError(message)


def _wake(session: Session) -> None:
    session.execute(select(func.pg_notify(CHANNEL_WORK, "")))
