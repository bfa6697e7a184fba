"""Shows a person which engines cannot take what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from schemas.queue import EngineOutage


def show_outages(console: Console, outages: Sequence[EngineOutage]) -> None:
    """Print which engines cannot take what waits for them."""
    for outage in outages:
        runs = "1 run waits" if outage.waiting == 1 else f"{outage.waiting} runs wait"
        since = f"{outage.since:%Y-%m-%d %H:%M:%S} UTC"
        text = f"ALERT: {outage.engine}: {outage.reason} since {since}; {runs}"
        console.print(f"[red]{escape(text)}[/red]")
