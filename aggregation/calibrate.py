"""Makes confidences comparable: how often others agree with an engine that is that sure."""

from __future__ import annotations

import numpy as np

from aggregation.align.network import ABSTAINS, Network
from aggregation.heard import BoolArray, FloatArray

#: Words with confidence that an engine needs in one recording before a curve is fitted.
MIN_WORDS = 300
#: Pseudo-words by which each value of the curve is drawn to the engine's mean.
SMOOTHING_WORDS = 10.0
#: Calibrated probabilities are held inside these.
LOWEST, HIGHEST = 0.02, 0.995


def calibrated(network: Network) -> FloatArray:
    """Return, slots × engines, the log-odds by which a word is surer than its engine's mean.

    For each engine an isotonic regression (pool adjacent violators) of "another engine says
    the same here" on its confidence, in this recording alone: no reference is needed. Zero where
    the engine is silent, gives no confidence, or has fewer than `MIN_WORDS`.
    """
    result = np.zeros(network.ids.shape)
    backed = _backed(network)
    for column, tokens in enumerate(network.tokens):
        here = np.flatnonzero(network.ids[:, column] > 0)
        confidence = tokens.confidence[network.index[here, column]]
        known = np.isfinite(confidence)
        if int(known.sum()) < MIN_WORDS:
            continue
        slots, values = here[known], confidence[known]
        hits = backed[slots, column].astype(np.float64)
        curve = isotonic(values, hits)
        mean = float(np.clip(hits.mean(), LOWEST, HIGHEST))
        curve = np.clip(curve, LOWEST, HIGHEST)
        result[slots, column] = np.log(curve / (1 - curve)) - np.log(mean / (1 - mean))
    return result


def _backed(network: Network) -> BoolArray:
    """Mark words that at least half of the other engines with a say share."""
    ids = network.ids
    same = np.zeros(ids.shape)
    for column in range(ids.shape[1]):
        same += ids == ids[:, column : column + 1]
    voices = (ids != ABSTAINS).sum(axis=1, keepdims=True)
    result: BoolArray = (same - 1) * 2 >= np.maximum(voices - 1, 1)
    return result


def isotonic(values: FloatArray, hits: FloatArray) -> FloatArray:
    """Return, for each value, the non-decreasing share of hits that fits best (least squares)."""
    mean = float(hits.mean())
    levels, inverse = np.unique(values, return_inverse=True)
    counts = np.bincount(inverse, minlength=len(levels)).astype(np.float64)
    sums = np.bincount(inverse, weights=hits, minlength=len(levels))
    blocks: list[tuple[float, float, int]] = []  # (sum, count, levels)
    for total, count in zip(sums.tolist(), counts.tolist(), strict=True):
        block = (total, count, 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    fitted = np.repeat(
        [(s + SMOOTHING_WORDS * mean) / (c + SMOOTHING_WORDS) for s, c, _ in blocks],
        [size for _, _, size in blocks],
    )
    # Small blocks are drawn further than large ones, which could turn their order.
    curve: FloatArray = np.maximum.accumulate(fitted)[inverse]
    return curve
