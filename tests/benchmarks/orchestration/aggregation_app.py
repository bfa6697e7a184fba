"""The aggregation's app, with a body for bare chords and, when asked, a comparison made before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from redis import Redis

import aggregation.finish
from aggregation.app import app
from aggregation.pipeline import Question, make_report
from tests.benchmarks.orchestration import NO_WORK

if TYPE_CHECKING:
    from schemas.report import Report

__all__ = ["app"]

#: The list that gets an entry for each bare chord.
DONE = "bench-done"
_made: list[Report] = []
_client = Redis(unix_socket_path=os.environ.get("BENCH_SOCKET", ""))


@app.task(name="bench.body", ignore_result=True)
def body() -> None:
    """Say so."""
    _client.lpush(DONE, 1)


def _made_before(question: Question) -> Report:
    """Return the first job's report as that of any job: all of the bench's jobs ask the same."""
    if not _made:
        _made.append(make_report(question))
    return _made[0].model_copy(update={"job_id": question.job_id})


if os.environ.get(NO_WORK):
    aggregation.finish.make_report = _made_before  # type: ignore[attr-defined]
