"""Prints what does not fit side by side as short blocks, one below the other."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

#: Spaces between columns, and before the lines of a block.
GAP, INDENT = 2, 2
#: The fewest characters that a column of readings needs to be read.
READING_WIDTH = 12


def fits(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether a table of short values fits into the terminal without folding any."""
    widths = [max(map(cell_len, column)) for column in zip(names, *rows, strict=True)]
    return sum(widths) + GAP * (len(widths) - 1) <= console.width


def readable(console: Console, lead: int, columns: int) -> bool:
    """Tell whether columns of readings are wide enough beside the first `lead` characters."""
    return (console.width - lead) // columns - GAP >= READING_WIDTH


def values(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of short values: the first as a heading, then `name value` pairs in a row."""
    for heading, *rest in rows:
        console.print(Text(heading, style="bold"))
        pairs = [f"{name} {value}" for name, value in zip(names[1:], rest, strict=True)]
        line = " · ".join(pair.replace(" ", "\u00a0") for pair in pairs)
        console.print(Padding(Text(line), (0, 0, 0, INDENT)))


def readings(console: Console, heading: Text, rows: Sequence[tuple[str, Text]]) -> None:
    """Print a heading and below it who wrote what, a line each."""
    console.print(heading)
    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_column(max_width=console.width // 3, overflow="fold")
    grid.add_column(overflow="fold")
    for name, text in rows:
        grid.add_row(Text(name), text)
    console.print(Padding(grid, (0, 0, 0, INDENT)))
