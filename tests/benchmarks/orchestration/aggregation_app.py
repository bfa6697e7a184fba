"""The aggregation's app, with a task that says that a bare chord is done."""

from __future__ import annotations

import os

from redis import Redis

from aggregation.app import app

__all__ = ["app"]

#: The list that gets an entry for each bare chord.
DONE = "bench-done"
_client = Redis(unix_socket_path=os.environ.get("BENCH_SOCKET", ""))


@app.task(name="bench.body", ignore_result=True)
def body() -> None:
    """Say so."""
    _client.lpush(DONE, 1)
