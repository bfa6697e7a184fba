"""The fewest errors that any choice of words from a network could have."""

from __future__ import annotations

import numpy as np

from aggregation.align.network import SILENT, Network
from tests.benchmarks.consensus.score import Errors

#: Reference words on each side of the diagonal that are looked at.
BAND_WORDS = 400


def oracle_errors(network: Network, reference: list[str]) -> Errors:
    """Return the errors of the best path, by edit distance with free choice in every slot.

    Computed in a band around the diagonal of slots × reference words: exact as long as the best
    path stays inside it, else an upper bound.
    """
    known = {word: number for number, word in enumerate(network.vocabulary)}
    wanted = np.array([known.get(word, -2) for word in reference], dtype=np.int64)
    slots, words = len(network), len(reference)
    if not slots or not words:
        return Errors(0, words, 0, words)
    steps = np.arange(words + 1, dtype=np.float64)
    cost = steps.copy()
    for slot in range(slots):
        middle = slot * words // slots
        low, high = max(0, middle - BAND_WORDS), min(words, middle + BAND_WORDS)
        row = np.full(words + 1, np.inf)
        choices = network.ids[slot]
        hit = np.isin(wanted[low:high], choices[choices > SILENT])
        skip = 0.0 if (choices <= SILENT).any() else 1.0
        row[low : high + 1] = cost[low : high + 1] + skip
        row[low + 1 : high + 1] = np.minimum(row[low + 1 : high + 1], cost[low:high] + ~hit)
        inside = row[low : high + 1] - steps[low : high + 1]
        row[low : high + 1] = np.minimum.accumulate(inside) + steps[low : high + 1]
        cost = row
    return Errors(int(cost[words]), 0, 0, words)
