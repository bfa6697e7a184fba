"""The learned vote's weights; `tests/benchmarks/consensus/train.py` makes them anew."""

from __future__ import annotations

#: One number for each of `features.NAMES`.
WEIGHTS: tuple[float, ...] = (
    4.3845,
    0.2788,
    0.0545,
    3.5779,
    -1.2751,
    -1.1297,
    0.1982,
    0.0788,
    0.1680,
    0.1894,
    0.1178,
    -0.1205,
    0.6049,
    0.6560,
    1.2436,
    -1.4936,
)
