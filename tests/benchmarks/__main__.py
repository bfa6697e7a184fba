"""Runs one benchmark: `./run bench NAME [--quick] [--json]`."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Figure

#: What the file of a benchmark is called: `bench_NAME.py`, with a function `main(quick)`.
PREFIX = "bench_"


def names(folder: Path = Path(__file__).parent) -> list[str]:
    """Return the benchmarks that `folder` holds."""
    return sorted(path.stem.removeprefix(PREFIX) for path in folder.glob(f"{PREFIX}*.py"))


def measure(name: str, *, quick: bool) -> list[Figure]:
    """Run the benchmark of that name."""
    module = importlib.import_module(f"tests.benchmarks.{PREFIX}{name}")
    figures: list[Figure] = module.main(quick=quick)
    return figures


def as_json(figures: list[Figure]) -> str:
    """Return one JSON object; a number that JSON cannot hold becomes null."""
    rows = [
        {**asdict(figure), "value": figure.value if math.isfinite(figure.value) else None}
        for figure in figures
    ]
    return json.dumps({"figures": rows}, ensure_ascii=False)


def as_table(title: str, figures: list[Figure]) -> Table:
    """Return the figures as a table for people."""
    table = Table("figure", title=title, title_justify="left")
    table.add_column("value", justify="right")
    for column in ("unit", "target", "met"):
        table.add_column(column)
    for figure in figures:
        met = {True: "yes", False: "[bold red]NO[/]", None: ""}[figure.met]
        table.add_row(figure.name, f"{figure.value:.4g}", figure.unit, figure.target or "", met)
    return table


@contextlib.contextmanager
def output_to_stderr() -> Iterator[TextIO]:
    """Yield the real stdout; all else that is printed, by child processes too, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with (
            os.fdopen(os.dup(kept), "w", encoding="utf-8") as real,
            contextlib.redirect_stdout(sys.stderr),
        ):
            yield real
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def main(arguments: list[str] | None = None) -> int:
    """Print what the benchmark measured; return 1 when it misses a target, 2 on wrong usage."""
    known = names()
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="less input, rougher numbers")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    wanted = parser.parse_args(arguments)
    if wanted.name not in known:
        parser.error(f"NAME is one of: {', '.join(known)}")
    with output_to_stderr() as out:
        figures = measure(wanted.name, quick=wanted.quick)
        if wanted.json:
            print(as_json(figures), file=out)
        else:
            Console(file=out).print(as_table(wanted.name, figures))
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
