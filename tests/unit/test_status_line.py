"""A job's status says where the first run of each engine stands in line."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console

from coordinator.cli.render import show_line
from schemas.queue import JobReason, RunReason

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_the_first_waiting_part_of_each_engine_is_told_with_the_end_of_all() -> None:
    waiting = "waiting: 2 runs submitted earlier are ahead; expected start 12:00:00 UTC"
    runs = (
        RunReason(engine="a", state="running", reason="running on node-1"),
        RunReason(engine="a", state="queued", reason=waiting, position=3, expected_start=NOON),
        RunReason(engine="a", state="queued", reason=waiting, position=4, expected_start=NOON),
        RunReason(engine="b", state="queued", reason="held: the job is paused"),
        RunReason(engine="c", state="succeeded", reason="has succeeded"),
    )
    out = io.StringIO()
    reason = JobReason(job_id=UUID(int=1), state="running", runs=runs, expected_end=NOON)
    show_line(Console(file=out, width=200), reason)
    assert out.getvalue().splitlines() == [
        f"a: place 3 in line, {waiting}",
        "b: held: the job is paused",
        "expected to end 2026-01-01 12:00:00 UTC",
    ]
