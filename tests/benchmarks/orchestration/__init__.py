"""The workers that the benchmark of the orchestration measures."""

from __future__ import annotations

#: Set it to leave out what is not orchestration: the decoding, and the comparison.
NO_WORK = "BENCH_NO_WORK"
