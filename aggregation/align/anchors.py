"""Finds runs of equal words that surely belong together, in time linear in the length.

First the texts are cut at n-grams that each has exactly once (Bram Cohen's patience diff), so
that no piece is longer than a bound; in each piece the runs come from rapidfuzz's Levenshtein
opcodes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
from rapidfuzz.distance import Levenshtein

from aggregation.heard import FloatArray, IntArray

#: Words in the n-grams that cut the texts into pieces.
NGRAM = 6
#: Words between two cuts, at least: fewer cuts leave more to the exact distance.
PIECE_WORDS = 2_000
#: Words of the longest piece that is compared at once where no cut was found.
MAX_PIECE_WORDS = 20_000
#: Of many shared n-grams every so manieth is enough to find the cuts, as long as so many are left.
THINNING, MIN_PAIRS = 16, 64
#: The fewest equal words in a row that count as an anchor.
MIN_RUN_WORDS = 2
#: Seconds that two equal words may lie apart and still be an anchor.
MAX_DRIFT_SECONDS = 3.0

#: (first index on the left, first index on the right, words).
Run = tuple[int, int, int]


def anchors(
    left: IntArray, right: IntArray, left_time: FloatArray, right_time: FloatArray
) -> Iterator[Run]:
    """Yield runs of equal words, in order, that neither overlap nor cross."""
    for a, b, c, d in pieces(left, right):
        for op in Levenshtein.opcodes(left[a:b].tolist(), right[c:d].tolist()):
            if op.tag != "equal":
                continue
            i, j, size = a + op.src_start, c + op.dest_start, op.src_end - op.src_start
            if size < MIN_RUN_WORDS:
                continue
            apart = abs(left_time[i] - right_time[j])
            if not apart > MAX_DRIFT_SECONDS:  # NaN: no times, no objection
                yield i, j, size


def pieces(left: IntArray, right: IntArray) -> Iterator[tuple[int, int, int, int]]:
    """Yield, in order, (from, to) on the left with (from, to) on the right: all is covered."""
    i = j = 0
    cuts = _cuts(left, right) if min(len(left), len(right)) > PIECE_WORDS else []
    for cut_left, cut_right in [*cuts, (len(left), len(right))]:
        yield from _bounded(i, cut_left, j, cut_right)
        i, j = cut_left, cut_right


def _bounded(a: int, b: int, c: int, d: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut a piece without anchors into even parts: texts that share nothing align anyhow."""
    parts = -(-max(b - a, d - c) // MAX_PIECE_WORDS)
    for k in range(parts):
        yield (
            a + (b - a) * k // parts,
            a + (b - a) * (k + 1) // parts,
            c + (d - c) * k // parts,
            c + (d - c) * (k + 1) // parts,
        )


def _cuts(left: IntArray, right: IntArray) -> list[tuple[int, int]]:
    """Return places, at least `PIECE_WORDS` apart, where the texts surely meet."""
    left_key, right_key = _keys(left), _keys(right)
    left_at, right_at = _once(left_key), _once(right_key)
    _, in_left, in_right = np.intersect1d(
        left_key[left_at], right_key[right_at], assume_unique=True, return_indices=True
    )
    pairs = sorted(zip(left_at[in_left].tolist(), right_at[in_right].tolist(), strict=True))
    if len(pairs) > MIN_PAIRS * THINNING:
        pairs = pairs[::THINNING]
    cuts: list[tuple[int, int]] = []
    at = 0
    for i, j in _longest_increasing(pairs):
        if i - at >= PIECE_WORDS:
            cuts.append((i, j))
            at = i
    return cuts


def _keys(ids: IntArray) -> IntArray:
    """Return a 64-bit fingerprint of the n-gram at each place."""
    size = len(ids) - NGRAM + 1
    key = np.zeros(max(size, 0), dtype=np.uint64)
    for k in range(NGRAM):
        key = key * np.uint64(0x9E3779B97F4A7C15) + ids[k : k + len(key)].astype(np.uint64)
    return key.astype(np.int64)


def _once(keys: IntArray) -> IntArray:
    _, first, count = np.unique(keys, return_index=True, return_counts=True)
    once: IntArray = first[count == 1]
    return once


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest chain of pairs, sorted by the first, whose second ones rise."""
    tails: list[int] = []
    tail_at: list[int] = []
    before: list[int] = []
    for at, (_, j) in enumerate(pairs):
        k = bisect_left(tails, j)
        before.append(tail_at[k - 1] if k else -1)
        tails[k : k + 1] = [j]
        tail_at[k : k + 1] = [at]
    chain: list[tuple[int, int]] = []
    at = tail_at[-1] if tail_at else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]
