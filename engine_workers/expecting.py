"""Says how long engines will need for a recording, by what they needed of late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from schemas.base import Contract
from schemas.runs import RunState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from schemas.database import Database

#: The newest jobs that are looked at.
LOOKED_AT = 500
#: Seconds of work for a second of audio, where an engine has none among them.
UNKNOWN = 0.3


class Expected(Contract):
    """What engines will need."""

    #: Seconds of work by engine.
    engines: dict[str, float]
    #: The engines of which that is a guess: nothing was measured of them.
    guessed: tuple[str, ...] = ()
    #: Seconds of work of all of them.
    cost_seconds: float
    #: Seconds from begin to end, where each has a free worker.
    time_seconds: float


def speeds(database: Database) -> dict[str, float]:
    """Return the median seconds of work for a second of audio by engine, of the newest jobs.

    Raises:
        LedgerError: the database does not answer.
    """
    newest = select(Job.id).order_by(Job.created_at.desc()).limit(LOOKED_AT).subquery()
    speed = EngineRun.processing_seconds / EngineRun.audio_seconds
    asked = (
        select(EngineRun.engine, func.percentile_cont(0.5).within_group(speed))
        .join(newest, newest.c.id == EngineRun.job_id)
        .where(
            EngineRun.state == RunState.SUCCEEDED.value,
            EngineRun.audio_seconds > 0,
            EngineRun.processing_seconds > 0,
            EngineRun.reused_from.is_(None),
        )
        .group_by(EngineRun.engine)
    )
    with database.reading() as session:
        return {engine: float(found) for engine, found in session.execute(asked)}


def expect(seconds: float, engines: Collection[str], known: Mapping[str, float]) -> Expected:
    """Return what the engines will need for `seconds` of audio."""
    needed = {name: round(seconds * known.get(name, UNKNOWN), 1) for name in engines}
    return Expected(
        engines=needed,
        guessed=tuple(name for name in engines if name not in known),
        cost_seconds=round(sum(needed.values()), 1),
        time_seconds=max(needed.values(), default=0.0),
    )
