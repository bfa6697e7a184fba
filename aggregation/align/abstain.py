"""Takes the say from engines where they invented words or missed a stretch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from aggregation.align.network import ABSTAINS, SILENT, Network
from aggregation.heard import BoolArray, FloatArray, IntArray

#: Slots that others fill while one engine is silent, from which it counts as not having heard.
HOLE_SLOTS = 10

#: (column, first slot, one past the last).
Stretch = tuple[int, int, int]


def abstain(network: Network, stretches: Sequence[Stretch]) -> Network:
    """Return the network with `ABSTAINS` in the stretches where an engine has no say.

    Where no engine would keep a say, nothing changes: a veto never empties a place that all
    engines fill.
    """
    ids = network.ids.copy()
    for column, first, last in stretches:
        ids[first:last, column] = ABSTAINS
    for column, tokens in enumerate(network.tokens):
        if not len(tokens):
            ids[:, column] = ABSTAINS
    mute = (ids == ABSTAINS).all(axis=1)
    ids[mute] = network.ids[mute]
    return replace(network, ids=ids)


def holes(network: Network) -> Iterator[Stretch]:
    """Yield where an engine is silent while most others with a say speak `HOLE_SLOTS` words."""
    ids = network.ids
    if ids.shape[1] == 1:
        return
    spoken = (ids > SILENT).sum(axis=1)
    voices = (ids != ABSTAINS).sum(axis=1)
    for column in range(ids.shape[1]):
        silent = ids[:, column] == SILENT
        filled = np.concatenate([[0], np.cumsum(silent & (spoken * 2 > voices - 1))])
        for first, last in runs(silent):
            if filled[last] - filled[first] >= HOLE_SLOTS:
                yield column, first, last


def runs(marked: BoolArray) -> list[tuple[int, int]]:
    """Return (first, one past the last) of each run of True."""
    edges: IntArray = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def silence_runs(network: Network) -> FloatArray:
    """Return, slots × engines, the length of the silence that a slot is part of; 0 for words."""
    lengths: FloatArray = np.zeros(network.index.shape)
    for column in range(lengths.shape[1]):
        for first, last in runs(network.index[:, column] < 0):
            lengths[first:last, column] = last - first
    return lengths
