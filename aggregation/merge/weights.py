"""The learned vote's weights; `tests/benchmarks/consensus/train.py` made them."""

from __future__ import annotations

#: One number for each of `features.NAMES`.
WEIGHTS: tuple[float, ...] = (
    3.7299,  # trust_share
    0.7359,  # count_share
    0.0477,  # majority
    3.5193,  # silence
    -1.0177,  # silence_trust
    -1.5534,  # silence_count
    0.2803,  # sureness
    0.0464,  # elsewhere
    0.1688,  # left_pair
    0.2054,  # right_pair
    0.1721,  # bridge
    1.5636,  # near
    0.6312,  # spelling
    0.6565,  # length
    1.1448,  # repeat
    -1.4390,  # silence_run
)
