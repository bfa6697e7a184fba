"""People see which engines cannot work."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from coordinator.cli.waiting import show_outages
from schemas.queue import EngineOutage

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def console() -> Console:
    """Return one that writes into a string."""
    return Console(file=StringIO(), width=200)


def shown(on: Console) -> str:
    """Return what it wrote."""
    assert isinstance(on.file, StringIO)
    return on.file.getvalue()


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
