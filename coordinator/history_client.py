"""What a client can ask about what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.client_part import ClientPart
from coordinator.history import history_filter, read_page
from coordinator.story import read_story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from schemas.history import HistoryEntry, HistoryPage, JobStory


class HistoryClient(ClientPart):
    """The part of a client that is about what was done."""

    def history(
        self, *, limit: int = 20, after: str | None = None, **wanted: object
    ) -> HistoryPage:
        """Return a page of the jobs that are wanted, the newest first.

        Args:
            limit: how many at most.
            after: `next` of the page before.
            **wanted: fields of `HistoryFilter`: `states`, `engine`, `owner`, `batch`, `since`,
                `until`, `text`.

        Raises:
            BadRequestError: a part of it is wrong.
        """
        with self.database.reading() as session:
            return read_page(session, history_filter(**wanted), limit, after)

    def whole_history(self, **wanted: object) -> Iterator[HistoryEntry]:
        """Yield all jobs that are wanted, the newest first, a page in memory at a time."""
        after = None
        while True:
            page = self.history(limit=200, after=after, **wanted)
            yield from page.entries
            after = page.next
            if after is None:
                return

    def story(self, job_id: UUID) -> JobStory:
        """Return all that the ledger knows of a job.

        Raises:
            JobNotFoundError: there is none of that id.
        """
        with self.database.transaction() as session:
            return read_story(session, job_id)
