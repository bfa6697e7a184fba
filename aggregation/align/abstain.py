"""Takes the say from engines where they invented words or missed a stretch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from aggregation.align.network import ABSTAINS, SILENT, Network
from aggregation.heard import BoolArray, FloatArray, IntArray

#: Slots that others fill while one engine is silent, from which it counts as not having heard.
HOLE_SLOTS = 10

#: Places that most others fill, from which an engine that is silent in them has missed all over
#: the recording: so many, and this share of its own words.
RIDDLED_PLACES, RIDDLED_SHARE = 20, 0.25

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
    for column, silent, missed in _silences(network):
        filled = np.concatenate([[0], np.cumsum(missed)])
        for first, last in runs(silent):
            if filled[last] - filled[first] >= HOLE_SLOTS:
                yield column, first, last


def riddled(network: Network) -> Iterator[list[Stretch]]:
    """Yield the silences of each engine that misses so much that they deny nothing."""
    for column, silent, missed in _silences(network):
        words = int((network.ids[:, column] > SILENT).sum())
        if int(missed.sum()) > RIDDLED_PLACES + RIDDLED_SHARE * words:
            yield [(column, first, last) for first, last in runs(silent)]


def _silences(network: Network) -> Iterator[tuple[int, BoolArray, BoolArray]]:
    """Yield each column with its silent slots, and those of them that most others fill."""
    ids = network.ids
    if ids.shape[1] == 1:
        return
    spoken = (ids > SILENT).sum(axis=1)
    voices = (ids != ABSTAINS).sum(axis=1)
    for column in range(ids.shape[1]):
        silent = ids[:, column] == SILENT
        yield column, silent, silent & (spoken * 2 > voices - 1)


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
