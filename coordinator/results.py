"""A result backend for a process that publishes chords but never reads a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery.backends.redis import RedisBackend

if TYPE_CHECKING:
    from celery.result import AsyncResult


class NeverSubscribe(RedisBackend):  # type: ignore[misc]  # celery is untyped
    """Subscribes to no result.

    Celery subscribes to every header's result as it publishes; nobody here reads that socket, so
    results would pile up on it until Redis closes it. Chords are counted on the workers' side.
    """

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
