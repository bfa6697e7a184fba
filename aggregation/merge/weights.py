"""The learned vote's weights; `tests/benchmarks/consensus/train.py` made them."""

from __future__ import annotations

#: One number for each of `features.NAMES`.
WEIGHTS: tuple[float, ...] = (
    3.7678,  # trust_share
    0.6084,  # count_share
    0.0557,  # majority
    3.5458,  # silence
    -1.0954,  # silence_trust
    -1.2933,  # silence_count
    0.2704,  # sureness
    0.0756,  # elsewhere
    0.1758,  # left_pair
    0.2134,  # right_pair
    0.1464,  # bridge
    1.5712,  # near
    0.5621,  # spelling
    0.7396,  # length
    1.2304,  # repeat
    -1.2067,  # silence_run
)
