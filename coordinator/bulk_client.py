"""What a client does to submit many recordings at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from coordinator.asking import Scheduling, make_schedule
from coordinator.bulk import MAX_JOBS, accept_many
from coordinator.catalogue import choose_engines
from coordinator.client_part import ClientPart
from coordinator.errors import BadRequestError
from coordinator.staging import stage
from coordinator.submit import job_request
from schemas.media_store import open_store

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from uuid import UUID


class BulkClient(ClientPart):
    """The part of a client that submits in bulk."""

    _work: bool

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
        request = job_request(choose_engines(self.settings, engines), language)
        scheduled = make_schedule(schedule)
        if len(sources) > MAX_JOBS:
            message = f"{len(sources):,} recordings: at most {MAX_JOBS:,} are accepted together"
            raise BadRequestError(message)
        store, rules = open_store(self.settings), self.settings.sources
        recordings = [stage(source, store, rules) for source in sources]
        with self.database.transaction() as session:
            jobs = accept_many(
                session,
                request,
                recordings,
                batch_id=batch_id,
                schedule=scheduled,
                rules=self.settings.scheduling,
                media=self.settings.media,
            )
        if self._work or self.stack.reused:
            self.stack.need(engines=request.engines, work=True)
        return jobs
