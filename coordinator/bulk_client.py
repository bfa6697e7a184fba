"""What a client does to submit many recordings at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from coordinator.asking import Scheduling, make_schedule
from coordinator.bulk import MAX_JOBS, accept_many
from coordinator.catalogue import choose_engines
from coordinator.errors import BadRequestError
from coordinator.staging import stage
from coordinator.submit import job_request

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from uuid import UUID

    from coordinator.local.stack import RunningStack
    from schemas.database import Database
    from schemas.settings import Settings


class BulkClient:
    """The part of a client that submits in bulk."""

    _settings: Settings
    _work: bool

    @property
    def database(self) -> Database:
        """The ledger in use."""
        raise NotImplementedError

    @property
    def stack(self) -> RunningStack:
        """The servers in use."""
        raise NotImplementedError

    def submit_batch(
        self,
        sources: Sequence[str | os.PathLike[str]],
        *,
        engines: Sequence[str] = (),
        language: str | None = None,
        batch_id: UUID | None = None,
        **schedule: Unpack[Scheduling],
    ) -> tuple[UUID, ...]:
        """Submit many recordings at once: all of them are accepted, or none.

        Raises:
            UsageError: a recording or the request is wrong, or there are more than 100,000.
            StagingError: the media store cannot be written.
            LedgerError: the database does not answer.
        """
        request = job_request(choose_engines(self._settings, engines), language)
        scheduled = make_schedule(schedule)
        if len(sources) > MAX_JOBS:
            message = f"{len(sources):,} recordings: at most {MAX_JOBS:,} are accepted together"
            raise BadRequestError(message)
        recordings = [stage(source, self._settings.media_root) for source in sources]
        with self.database.transaction() as session:
            jobs = accept_many(
                session,
                request,
                recordings,
                batch_id=batch_id,
                schedule=scheduled,
                rules=self._settings.scheduling,
            )
        if self._work or self.stack.reused:
            self.stack.need(engines=request.engines, work=True)
        return jobs
