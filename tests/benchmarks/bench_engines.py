"""What engines cost behind workers: preparing, spreading, stitching, against libraries alone."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.engines import preparing, sharing, spreading, stitching, through

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure


def main(*, quick: bool) -> list[Figure]:
    """Measure; the quick way takes shorter recordings, fewer workers, one engine."""
    folder = Path(tempfile.mkdtemp(prefix="csb-", dir="/tmp"))
    try:
        figures = preparing.measure(folder, quick=quick)
        figures += spreading.measure(quick=quick)
        figures += through.measure(folder, quick=quick)
        if not quick:
            figures += sharing.measure(folder)
            figures += stitching.measure(folder)
        return figures
    finally:
        shutil.rmtree(folder)
