"""A ledger in which tests admit runs, end them as workers would, submit more meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, text, update

from coordinator.admission import admit
from coordinator.dependencies import resolve
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.scheduling import Schedule
from schemas.settings import SchedulingSettings
from schemas.tables import Base, EngineRun, Job
from tests.serving import serve

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Row

    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")
#: Windows of exactly one more than there are slots, as long as runs are short.
RULES = SchedulingSettings(spare_share=0.0, spare_seconds=0.0)
#: Seconds that each run takes unless a test says otherwise.
TOOK = 3.0

RUNS = text("""
SELECT run.id, run.job_id, run.engine, run.job_owner AS owner, run.priority, run.place, run.state,
       run.due_at, run.submitted_at
FROM engine_runs AS run ORDER BY run.due_at, run.id
""")


@dataclass
class World:
    """One engine's line or several, from the beginning."""

    database: Database
    slots: Mapping[str, int]
    #: Every run that was given a place, by engine, in that order.
    given: dict[str, list[UUID]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with an empty ledger and live workers."""
        with self.database.transaction() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table))
        for engine, slots in self.slots.items():
            serve(self.database, engine, slots=slots, worker=engine)
            self.given[engine] = []

    def submit(
        self,
        engines: Sequence[str],
        *,
        after: Collection[UUID] = (),
        overdue_by: float | None = None,
        **how: object,
    ) -> UUID:
        """Submit a job; one that is past its target already, by so many seconds, if asked."""
        schedule = Schedule.model_validate({"after": tuple(after), **how})
        with self.database.transaction() as session:
            request = job_request(engines)
            job = accept(session, request, AUDIO, schedule=schedule, rules=RULES).job_id
            if overdue_by is not None:
                ago = RULES.targets()[schedule.priority.rank] + overdue_by
                moved = {"submitted_at": text(f"now() - interval '{ago} s'")}
                session.execute(update(EngineRun).where(EngineRun.job_id == job).values(**moved))
        return job

    def admit(self) -> set[UUID]:
        """Admit what can be; return the new runs, and remember their order."""
        before = {run.id for run in self.runs("window")}
        with self.database.transaction() as session:
            admit(session, RULES)
        new = [run for run in self.runs("window") if run.id not in before]
        for run in new:
            self.given[run.engine].append(run.id)
        return {run.id for run in new}

    def runs(self, place: str | None = None) -> Sequence[Row[Any]]:
        """Return the runs that stand there, or all; those that are due first come first."""
        with self.database.transaction() as session:
            found = session.execute(RUNS).all()
        return [run for run in found if place is None or run.place == place]

    def working(self) -> list[Row[Any]]:
        """Return the runs that the workers have."""
        return [run for run in self.runs("window") if run.state == "queued"]

    def end(self, runs: Collection[UUID], *, state: str = "succeeded", took: float = TOOK) -> None:
        """End runs as their workers would, then the jobs that have no other left."""
        ended = {"state": state, "due_at": None, "processing_seconds": took, "audio_seconds": 10.0}
        with self.database.transaction() as session:
            session.execute(
                update(EngineRun)
                .where(EngineRun.id.in_(runs))
                .values(**ended, finished_at=func.now())
            )
            done = session.scalars(text(DONE)).all()
            if done:
                session.execute(
                    update(Job)
                    .where(Job.id.in_(done))
                    .values(state="completed", finished_at=func.now())
                )
        with self.database.transaction() as session:
            resolve(session, among=done)

    def busy(self) -> Counter[tuple[str, str]]:
        """Return how many places each engine's owners have."""
        return Counter((run.engine, run.owner) for run in self.working())


DONE = """
SELECT id FROM jobs WHERE finished_at IS NULL AND NOT EXISTS (
  SELECT FROM engine_runs WHERE job_id = jobs.id AND state IN ('queued', 'running'))
"""
