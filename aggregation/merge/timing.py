"""Times of merged words: the voters' median, outliers aside, never running backwards."""

from __future__ import annotations

import numpy as np

from aggregation.align.network import Network
from aggregation.heard import BoolArray, FloatArray

#: Seconds from the median beyond which a voter's time is left out.
OUTLIER_SECONDS = 0.5


def slot_spans(network: Network, voters: BoolArray, limit: float) -> tuple[FloatArray, FloatArray]:
    """Return each slot's start and end in seconds, NaN where no voter has times of its own.

    Args:
        network: The aligned engines.
        voters: Slots × engines: who said the chosen word.
        limit: Length of the audio in seconds; 0 when it is not known.
    """
    start = np.full(network.index.shape, np.nan)
    stop = np.full(network.index.shape, np.nan)
    for column, tokens in enumerate(network.tokens):
        if len(tokens):
            here = network.index[:, column]
            start[:, column] = np.where(voters[:, column], tokens.start[here], np.nan)
            stop[:, column] = np.where(voters[:, column], tokens.stop[here], np.nan)
    start_at, stop_at = _centre(start), _centre(stop)
    if limit > 0:
        start_at, stop_at = np.minimum(start_at, limit), np.minimum(stop_at, limit)
    return monotone(start_at, stop_at)


def monotone(start: FloatArray, stop: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Move starts up to the latest before them, ends up to their starts."""
    low = np.maximum.accumulate(np.where(np.isfinite(start), start, 0.0))
    start = np.where(np.isfinite(start), low, np.nan)
    stop = np.where(np.isfinite(stop) & np.isfinite(start), np.maximum(stop, start), np.nan)
    return start, stop


def _centre(values: FloatArray) -> FloatArray:
    """Return each row's median after leaving out what lies far from its median."""
    middle = _median(values)
    near = np.abs(values - middle[:, None]) <= OUTLIER_SECONDS
    return _median(np.where(near, values, np.nan), otherwise=middle)


def _median(values: FloatArray, otherwise: FloatArray | None = None) -> FloatArray:
    ordered = np.sort(values, axis=1)  # NaN last
    count = np.isfinite(values).sum(axis=1)
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum((count - 1) // 2, 0)]
    high = ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]
    high = np.where(count % 2 == 1, low, high)
    middle = (low + high) / 2
    fallback = np.nan if otherwise is None else otherwise
    return np.where(count > 0, middle, fallback)
