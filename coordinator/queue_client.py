"""What a client can ask about the queue, and change in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.client_part import ClientPart
from coordinator.outages import read_outages
from coordinator.overview import read_queue
from coordinator.steering import (
    pause_whole,
    prioritise,
    resume_whole,
    set_engine_quota,
    set_owner_quota,
)
from coordinator.why import explain
from schemas.scheduling import Priority

if TYPE_CHECKING:
    from uuid import UUID

    from coordinator.steering import Whole
    from schemas.jobs import JobView
    from schemas.queue import EngineOutage, EngineQueue, JobReason


class QueueClient(ClientPart):
    """The part of a client that is about the order of things."""

    def queue(self, limit: int = 20) -> tuple[EngineQueue, ...]:
        """Return what waits for each engine, the first `limit` runs in their order."""
        with self.database.transaction() as session:
            return read_queue(session, self.settings.scheduling, limit)

    def outages(self) -> tuple[EngineOutage, ...]:
        """Return the engines whose workers cannot take what waits, for longer than a moment."""
        with self.database.transaction() as session:
            return read_outages(session)

    def why(self, job_id: UUID) -> JobReason:
        """Return why a job stands where it does, and when it is expected to end.

        Raises:
            JobNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return explain(session, job_id, self.settings.scheduling)

    def prioritise(self, job_id: UUID, priority: Priority | str) -> JobView:
        """Change the priority of what still waits of a job.

        Raises:
            JobNotFoundError: there is none of that id.
            QuotaError: its owner may not have that priority.
        """
        with self.database.transaction() as session:
            return prioritise(session, job_id, Priority(priority), self.settings.scheduling)

    def pause_whole(self, kind: Whole, name: str = "") -> None:
        """Admit nothing more of an owner or an engine, or at all.

        Raises:
            BadRequestError: that cannot be the name of one.
        """
        with self.database.transaction() as session:
            pause_whole(session, kind, name)

    def resume_whole(self, kind: Whole, name: str = "") -> None:
        """Take that back.

        Raises:
            BadRequestError: that cannot be the name of one.
        """
        with self.database.transaction() as session:
            resume_whole(session, kind, name)

    def set_owner_quota(
        self,
        owner: str,
        *,
        weight: float | None = None,
        max_running: int | None = None,
        top_priority: Priority | None = None,
    ) -> None:
        """Set what an owner may use; what is None stays as it is.

        Raises:
            BadRequestError: a value is none that a quota can have.
        """
        with self.database.transaction() as session:
            set_owner_quota(
                session,
                owner,
                weight=weight,
                max_running=max_running,
                top_priority=top_priority,
            )

    def set_engine_quota(self, engine: str, max_running: int) -> None:
        """Set the most runs that an engine's workers are given at a time.

        Raises:
            BadRequestError: it is less than 1, or no engine can have that name.
        """
        with self.database.transaction() as session:
            set_engine_quota(session, engine, max_running)
