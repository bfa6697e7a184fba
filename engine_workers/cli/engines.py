"""The command `chordscribe engines`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine_workers.catalogue import describe
from schemas.engines import EngineStatus
from schemas.settings import load_settings

#: Columns of a table that no terminal shows: wide enough for a sentence in each row.
PLAIN_COLUMNS = 250


def engines(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.")
    ] = False,  # typer's way
) -> None:
    """List the engines that installed packages bring, and what keeps some from running."""
    found = describe(load_settings())
    if as_json:
        listed = {"engines": [status.model_dump(mode="json") for status in found]}
        sys.stdout.write(json.dumps(listed, ensure_ascii=False, indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else PLAIN_COLUMNS
    Console(highlight=False, width=width).print(_table(found))


def _table(found: list[EngineStatus]) -> Table:
    table = Table("Engine", "State", "Languages", "Devices", "Model", box=None, pad_edge=False)
    for status in found:
        if status.problem is None:
            state = "[dim]for tests[/dim]" if status.testing else "[green]ready[/green]"
        else:
            colour = "yellow" if status.installed else "red"
            state = f"[{colour}]{escape(status.problem)}[/{colour}]"
        table.add_row(
            escape(status.name),
            state,
            ", ".join(status.languages),
            ", ".join(status.devices),
            escape(status.model or ""),
        )
    return table
