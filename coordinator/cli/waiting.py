"""Shows a person what a job, or an engine, waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from schemas.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from schemas.queue import EngineOutage, JobReason, RunReason


def show_waiting(console: Console, reason: JobReason | None) -> None:
    """Print where each engine's part of a job stands in line, when all is expected to have ended.

    Of an engine that hears the recording in parts the one that starts first stands for all.
    """
    if reason is None:
        return
    first: dict[str, RunReason] = {}
    for run in reason.runs:
        if run.state == RunState.QUEUED.value:
            kept = first.setdefault(run.engine, run)
            if (run.position or 0) < (kept.position or 0):
                first[run.engine] = run
    for engine, run in first.items():
        place = f"place {run.position} in line, " if run.position else ""
        console.print(f"{engine}: {place}{escape(run.reason)}")
    if reason.expected_end:
        console.print(f"expected to end {reason.expected_end:%Y-%m-%d %H:%M:%S} UTC")


def show_outages(console: Console, outages: Sequence[EngineOutage]) -> None:
    """Print which engines cannot take what waits for them."""
    for outage in outages:
        runs = "1 run waits" if outage.waiting == 1 else f"{outage.waiting} runs wait"
        since = f"{outage.since:%Y-%m-%d %H:%M:%S} UTC"
        text = f"ALERT: {outage.engine}: {outage.reason} since {since}; {runs}"
        console.print(f"[red]{escape(text)}[/red]")
