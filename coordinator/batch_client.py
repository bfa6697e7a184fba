"""What a client does with batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.batches import changing
from coordinator.batches.again import do_again
from coordinator.batches.filling import fill, open_batch
from coordinator.batches.looking import find_batch, list_batches, read_batch
from coordinator.batches.results import read_results
from coordinator.catalogue import choose_engines
from coordinator.client_part import ClientPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from coordinator.batches.filling import Step
    from coordinator.batches.results import Result
    from coordinator.batches.wanted import Order
    from schemas.batches import BatchView


class BatchClient(ClientPart):
    """The part of a client that is about batches."""

    _work: bool

    def open_batch(self, order: Order) -> tuple[UUID, bool]:
        """Return the batch of an order, which is the same for the same order; whether it is new."""
        with self.database.transaction() as session:
            return open_batch(session, order.key, order.label)

    def fill(self, batch_id: UUID, order: Order, *, by_bytes: bool = False) -> Iterator[Step]:
        """Submit what the batch does not have of the order; yield what became of each part.

        Args:
            batch_id: the batch.
            order: what is wanted.
            by_bytes: whether a file that has changed its date alone counts as the same.

        Raises:
            UsageError: a folder, the manifest or the request is wrong; what was told, stays.
            StagingError: the media store cannot be written.
            LedgerError: the database does not answer.
        """
        needed: set[str] = set()
        wanted = order.wanted()
        for step in fill(self.database, self.settings, batch_id, wanted, by_bytes=by_bytes):
            if step.engines - needed and (self._work or self.stack.reused):
                self.stack.need(engines=tuple(sorted(step.engines)), work=True)
                needed |= step.engines
            yield step

    def find_batch(self, reference: str | UUID) -> UUID:
        """Return the id of the batch that an id, the beginning of one, or a label means.

        Raises:
            BatchNotFoundError: there is none, or more than one id begins so.
        """
        with self.database.reading() as session:
            return find_batch(session, reference)

    def batch(self, batch_id: UUID) -> BatchView:
        """Return a batch as it stands.

        Raises:
            BatchNotFoundError: there is none of that id.
        """
        with self.database.reading() as session:
            return read_batch(session, batch_id)

    def batches(self, limit: int = 20) -> tuple[BatchView, ...]:
        """Return the newest batches."""
        with self.database.reading() as session:
            return list_batches(session, limit)

    def cancel_batch(self, batch_id: UUID) -> int:
        """Cancel what has not ended of a batch; return how many jobs that were."""
        return changing.cancel_batch(self.database, batch_id)

    def retry_failed(self, batch_id: UUID, *, degraded: bool = False) -> int:
        """Try a batch's failed jobs again, those that miss an engine too if wanted.

        Engines that answered are not asked again. Returns how many jobs that makes.
        """
        return changing.retry_failed(self.database, self.settings, batch_id, degraded=degraded)

    def add_engines(self, batch_id: UUID, engines: Sequence[str]) -> int:
        """Have more engines hear a batch's completed jobs, and only them; return how many.

        Raises:
            UsageError: there is no such engine, or a job would ask too many.
        """
        chosen = choose_engines(self.settings, engines)
        made = changing.add_engines(self.database, self.settings, batch_id, chosen)
        self._need(chosen, made)
        return made

    def add_engines_to_job(self, job_id: UUID, engines: Sequence[str]) -> UUID | None:
        """Have more engines hear an ended job's recording, and only them.

        Returns:
            The job that takes its place; None: it has them all, or was replaced before.

        Raises:
            UsageError: there is no such engine, the job has not ended, or would ask too many.
        """
        chosen = choose_engines(self.settings, engines)
        with self.database.transaction() as session:
            made = do_again(session, self.settings, job_id, chosen)
        self._need(chosen, made is not None)
        return made

    def batch_results(self, batch_id: UUID) -> Iterator[Result]:
        """Yield the reports of a batch's completed jobs, one after another."""
        return read_results(self.database, batch_id)

    def _need(self, engines: Sequence[str], made: int) -> None:
        if made and (self._work or self.stack.reused):
            self.stack.need(engines=tuple(engines), work=True)
