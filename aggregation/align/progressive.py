"""Builds the network engine by engine: anchors first, the windows between them exactly.

The scheme is ROVER's (Fiscus 1997) with three changes: anchors make it near linear, times and
spelling decide what may share a slot, and the order is by trust, so that arrival does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aggregation.align.anchors import anchors
from aggregation.align.network import Network, number_words, slot_times, top_words
from aggregation.align.window import Likeness, Slot, align_window
from aggregation.heard import FloatArray, IntArray
from aggregation.tokens import Tokens


def align(tokens: Sequence[Tokens]) -> Network:
    """Return the network of `tokens`, which are given with the most trusted engine first."""
    vocabulary, numbered = number_words(tokens)
    middles = [engine.middle for engine in tokens]
    index: IntArray = np.arange(len(numbered[0]) if numbered else 0, dtype=np.int64)[:, None]
    for column in range(1, len(tokens)):
        ids = words_of(index, numbered)
        time = slot_times(index, middles)
        pairs = join(ids, time, numbered[column], middles[column], vocabulary)
        slots, added = pairs[:, 0], pairs[:, 1]
        grown = (
            np.where(slots[:, None] >= 0, index[slots], -1)
            if len(index)
            else (np.full((len(pairs), column), -1))
        )
        index = np.concatenate([grown, added[:, None]], axis=1)
    return Network(
        tokens=tuple(tokens),
        vocabulary=vocabulary,
        index=index,
        ids=words_of(index, numbered),
        middle=slot_times(index, middles),
        words=tuple(numbered),
    )


def words_of(index: IntArray, numbered: Sequence[IntArray]) -> IntArray:
    """Return the word ids for a matrix of token indices (its columns may be fewer)."""
    ids = np.zeros(index.shape, dtype=np.int64)
    for column in range(index.shape[1]):
        here = index[:, column]
        if len(numbered[column]):
            ids[:, column] = np.where(here >= 0, numbered[column][here], 0)
    return ids


def join(
    ids: IntArray,
    time: FloatArray,
    words: IntArray,
    word_time: FloatArray,
    vocabulary: Sequence[str],
) -> IntArray:
    """Align one engine's words with the slots so far; return rows (slot or −1, word or −1).

    Args:
        ids: Slots × engines so far.
        time: Seconds of each slot; NaN unknown.
        words: The new engine's word ids.
        word_time: Their seconds; NaN unknown.
        vocabulary: The word of each id.
    """
    likeness = Likeness(vocabulary)
    top = top_words(ids) if len(ids) else np.zeros(0, dtype=np.int64)
    slots: list[int] = []
    added: list[int] = []
    i = j = 0
    ends = [(len(top), len(words), 0)]
    for run_i, run_j, size in [*anchors(top, words, time, word_time), *ends]:
        if run_i > i and run_j > j:
            pairs = align_window(
                _slots(ids[i:run_i], time[i:run_i]),
                words[j:run_j].tolist(),
                word_time[j:run_j].tolist(),
                likeness,
            )
            slots.extend(a + i if a >= 0 else -1 for a, _ in pairs)
            added.extend(b + j if b >= 0 else -1 for _, b in pairs)
        else:
            slots += [*range(i, run_i), *(-1 for _ in range(j, run_j))]
            added += [*(-1 for _ in range(i, run_i)), *range(j, run_j)]
        slots.extend(range(run_i, run_i + size))
        added.extend(range(run_j, run_j + size))
        i, j = run_i + size, run_j + size
    return np.array([slots, added], dtype=np.int64).T


def _slots(ids: IntArray, time: FloatArray) -> list[Slot]:
    slots: list[Slot] = []
    for words, at in zip(ids.tolist(), time.tolist(), strict=True):
        counts: dict[int, int] = {}
        for word in words:
            counts[word] = counts.get(word, 0) + 1
        slots.append((counts, at))
    return slots
