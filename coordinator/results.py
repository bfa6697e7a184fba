"""A result backend for a process that publishes chords but never reads a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery.backends.redis import RedisBackend
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from celery.result import AsyncResult


class NeverSubscribe(RedisBackend):  # type: ignore[misc]  # celery is untyped
    """Subscribes to no result.

    Celery subscribes to every header's result as it publishes; nobody here reads that socket, so
    results would pile up on it until Redis closes it. Chords are counted on the workers' side.
    """

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Write down how many tasks a chord's header has.

        Raises:
            kombu.exceptions.OperationalError: the broker does not answer; as publishing has it.
        """
        try:
            super().set_chord_size(group_id, chord_size)
        except RedisError as error:
            raise OperationalError(str(error)) from error

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Do nothing where the parent class subscribes."""

    def add_pending_result(
        self,
        result: AsyncResult,
        weak: bool = False,  # noqa: FBT001, FBT002  # the parent class's signature
        start_drainer: bool = True,  # noqa: FBT001, FBT002
    ) -> AsyncResult:
        """Return `result` without waiting for it."""
        del weak, start_drainer
        return result
