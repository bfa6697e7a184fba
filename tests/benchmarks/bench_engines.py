"""What lies between a recording and its engines: preparing it, spreading it over many workers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.engines import preparing, spreading, stitching

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure


def main(*, quick: bool) -> list[Figure]:
    """Measure; the quick way takes shorter recordings, fewer workers, no real engine."""
    folder = Path(tempfile.mkdtemp(prefix="csb-", dir="/tmp"))
    try:
        figures = preparing.measure(folder, quick=quick)
        figures += spreading.measure(quick=quick)
        return figures if quick else figures + stitching.measure(folder)
    finally:
        shutil.rmtree(folder)
