"""The learned vote's weights; `tests/benchmarks/consensus/train.py` made them."""

from __future__ import annotations

#: One number for each of `features.NAMES`.
WEIGHTS: tuple[float, ...] = (
    3.8293,  # trust_share
    0.3721,  # count_share
    0.0915,  # majority
    4.2825,  # silence
    -1.3592,  # silence_trust
    -1.0133,  # silence_count
    0.2487,  # sureness
    0.1486,  # elsewhere
    0.1799,  # left_pair
    0.2226,  # right_pair
    0.0645,  # bridge
    1.9592,  # near
    0.7223,  # spelling
    0.9071,  # length
    1.1214,  # repeat
    -1.2663,  # silence_run
    -2.0515,  # brief_silence
    -0.9347,  # brief_near
    -0.4235,  # brief_length
)
