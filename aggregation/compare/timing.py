"""Compares two engines' clocks on the words that both heard."""

from __future__ import annotations

import numpy as np

from aggregation.align.network import Network
from schemas.report import TimingComparison

#: Shared words with times that a comparison needs.
MIN_WORDS = 5
#: Seconds within which two starts count as close, as very close.
CLOSE_SECONDS, NEAR_SECONDS = 0.5, 0.2
#: Seconds of shared speech that a drift needs to be told from noise.
MIN_DRIFT_SECONDS = 60.0
#: A normal distribution's standard deviation over its median absolute deviation.
MAD_TO_SIGMA = 1.4826


def compare_times(network: Network, first: int, second: int) -> TimingComparison | None:
    """Compare the starts of words that both said in one slot; None with too few of them.

    Offset is the median of (second − first), spread the scaled median absolute deviation, drift
    the slope of a line through the medians of the recording's thirds (Tukey's resistant line).
    """
    ids = network.ids
    shared = np.flatnonzero((ids[:, first] > 0) & (ids[:, first] == ids[:, second]))
    one = network.tokens[first].start[network.index[shared, first]]
    two = network.tokens[second].start[network.index[shared, second]]
    known = np.isfinite(one) & np.isfinite(two)
    one, two = one[known], two[known]
    if len(one) < MIN_WORDS:
        return None
    apart = two - one
    offset = float(np.median(apart))
    drift = None
    if one[-1] - one[0] >= MIN_DRIFT_SECONDS:
        third = max(len(one) // 3, 1)
        rise = float(np.median(apart[-third:]) - np.median(apart[:third]))
        run = float(np.median(one[-third:]) - np.median(one[:third]))
        drift = 60_000 * rise / run if run > 0 else None
    return TimingComparison(
        words=len(one),
        offset_seconds=offset,
        spread_seconds=MAD_TO_SIGMA * float(np.median(np.abs(apart - offset))),
        drift_ms_per_minute=drift,
        within_200_ms=float((np.abs(apart) <= NEAR_SECONDS).mean()),
        within_500_ms=float((np.abs(apart) <= CLOSE_SECONDS).mean()),
    )
