"""What keeping things costs: the history, backups, found answers; its parts are found by name."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure

PREFIX = "part_"
FOLDER = Path(__file__).parent / "storage"
#: Names of the parts to measure, separated by commas; empty: all.
ONLY = "CHORDSCRIBE_BENCH_PARTS"


def parts() -> list[str]:
    """Return the names of the parts that are wanted."""
    known = sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.py"))
    wanted = [name for name in os.environ.get(ONLY, "").split(",") if name]
    return [name for name in known if not wanted or name in wanted]


def main(*, quick: bool) -> list[Figure]:
    """Measure every part; the quick way has less of everything."""
    figures: list[Figure] = []
    for name in parts():
        print(f"{name} …", file=sys.stderr)
        part = importlib.import_module(f"tests.benchmarks.storage.{PREFIX}{name}")
        figures += part.measure(quick=quick)
    return figures
