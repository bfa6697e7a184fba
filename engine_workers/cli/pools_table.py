"""Shows machines with their pools in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.pools import PoolState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine_workers.node.overview import NodeView, PoolView

#: Columns of a table that no terminal shows: wide enough for a sentence in each row.
PLAIN_COLUMNS = 250
#: Bytes in a megabyte.
MEGABYTE = 10**6
COLOURS = {
    PoolState.RUNNING.value: "green",
    PoolState.FAILED.value: "bold red",
    PoolState.REFUSED.value: "red",
    PoolState.BACKOFF.value: "red",
}


def show(nodes: Sequence[NodeView]) -> None:
    """Print them."""
    width = None if sys.stdout.isatty() else PLAIN_COLUMNS
    console = Console(highlight=False, width=width)
    if not nodes:
        console.print("no node: `chordscribe worker --pool NAME` runs pools on a machine")
        return
    for node in nodes:
        console.print(_head(node))
        for gpu in node.devices:
            console.print(f"  {escape(_gpu(gpu))}")
        console.print(_table(node.pools))


def _head(node: NodeView) -> str:
    free = f", {_mb(node.free_memory)} free" if node.free_memory is not None else ""
    silent = f", last heard of {node.silence:.0f} s ago" if node.state == "silent" else ""
    note = f"  [yellow]{escape(node.note)}[/yellow]" if node.note else ""
    return f"[bold]{escape(node.name)}[/bold]  {node.state}{silent}, {node.cores} cores{free}{note}"


def _gpu(gpu: dict[str, Any]) -> str:
    facts = [f"{_mb(gpu['free_vram'])} of {_mb(gpu['total_vram'])} free"]
    facts += [f"{gpu['utilisation']}% busy"] if gpu.get("utilisation") is not None else []
    facts += [f"{gpu['temperature']} °C"] if gpu.get("temperature") is not None else []
    return f"{gpu['device']} {gpu['name']}: {', '.join(facts)}"


def _table(pools: Sequence[PoolView]) -> Table:
    heads = ("  Pool", "State", "Device", "Busy", "Memory", "VRAM", "Cores", "Restarts", "Engines")
    table = Table(*heads, "", box=None, pad_edge=False)
    for pool in pools:
        colour = COLOURS.get(pool.state)
        state = f"[{colour}]{pool.state}[/{colour}]" if colour else pool.state
        table.add_row(
            f"  {escape(pool.name)}",
            state,
            pool.device,
            f"{len(pool.runs)}/{pool.slots}",
            _mb(pool.memory),
            _mb(pool.vram),
            "" if pool.load is None else f"{pool.load:.1f}",
            str(pool.restarts),
            ", ".join(pool.engines),
            escape(pool.reason or ""),
        )
    return table


def _mb(count: int | None) -> str:
    return "" if count is None else f"{count / MEGABYTE:,.0f} MB"
