"""People see what a job waits for, and which engines cannot work."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

from rich.console import Console

from coordinator.cli.waiting import show_outages, show_waiting
from schemas.queue import EngineOutage, JobReason, RunReason

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
JOB = UUID(int=1)


def console() -> Console:
    """Return one that writes into a string."""
    return Console(file=StringIO(), width=200)


def shown(on: Console) -> str:
    """Return what it wrote."""
    assert isinstance(on.file, StringIO)
    return on.file.getvalue()


def test_the_part_of_an_engine_that_starts_first_stands_for_all() -> None:
    runs = tuple(
        RunReason(engine="fake", state="queued", reason=f"waiting: for {place}", position=place)
        for place in (7, 3, 5)
    )
    on = console()
    show_waiting(on, JobReason(job_id=JOB, state="queued", runs=runs, expected_end=NOON))
    assert shown(on) == (
        "fake: place 3 in line, waiting: for 3\nexpected to end 2030-01-01 12:00:00 UTC\n"
    )


def test_engines_at_work_wait_for_nothing() -> None:
    runs = (RunReason(engine="fake", state="running", reason="running"),)
    on = console()
    show_waiting(on, JobReason(job_id=JOB, state="running", runs=runs))
    show_waiting(on, None)
    assert shown(on) == ""


def test_an_outage_is_an_alert_with_its_reason_and_its_age() -> None:
    outage = EngineOutage(
        engine="fake", reason="no live worker serves it", waiting=2, since=NOON, told_at=NOON
    )
    on = console()
    show_outages(on, [outage, outage.model_copy(update={"waiting": 1})])
    first, second = shown(on).splitlines()
    assert first == (
        "ALERT: fake: no live worker serves it since 2030-01-01 12:00:00 UTC; 2 runs wait"
    )
    assert second.endswith("; 1 run waits")
