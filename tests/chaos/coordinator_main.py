"""The coordinator as it is, with points around what it gives to the broker."""

from __future__ import annotations

import json
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from kombu.transport.redis import Channel

import coordinator.service
from tests.chaos.points import reach

if TYPE_CHECKING:
    from collections.abc import Callable


def _before_publishing(publish_next: Callable[..., int]) -> Callable[..., int]:
    @wraps(publish_next)
    def call(*args: object) -> int:
        reach("before_publishing")
        return publish_next(*args)

    return call


def _after_each_message(put: Callable[..., None]) -> Callable[..., None]:
    @wraps(put)
    def call(channel: Channel, queue: str, message: Any, **kwargs: Any) -> None:  # noqa: ANN401
        put(channel, queue, message, **kwargs)
        headers = message.get("headers", {})
        job = json.loads(headers.get("kwargsrepr", "{}").replace("'", '"')).get("job_id", "")
        reach(f"after_putting_{queue}", job)

    return call


coordinator.service.publish_next = _before_publishing(coordinator.service.publish_next)
Channel._put = _after_each_message(Channel._put)  # type: ignore[method-assign]  # noqa: SLF001

if __name__ == "__main__":
    sys.exit(coordinator.service.main())
