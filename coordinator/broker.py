"""Asks the broker what Celery has no question for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery import Celery


@contextmanager
def broker_channel(app: Celery) -> Iterator[Any]:  # kombu's channel has no types
    """Lend a channel to the broker, from the app's connections.

    Kombu translates what its own calls raise, but hands through what is asked of the client.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer, or refuses.
    """
    with app.pool.acquire(block=True) as connection:
        try:
            yield connection.default_channel
        except RedisError as error:
            raise OperationalError(str(error)) from error


def queue_length(app: Celery, queue: str) -> int:
    """Return how many messages wait in a queue, without those that a worker holds.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    with broker_channel(app) as channel:
        # A passive declaration would say the same, but refuses a queue that is empty.
        return int(channel._size(queue))  # noqa: SLF001
