"""Aligns a few slots with a few tokens exactly, between two anchors.

The dynamic programme is Levenshtein's with graded costs: a token pays little where engines
already say it, less than a miss where it is spelt alike, and for the seconds it lies away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rapidfuzz.distance import Indel, Levenshtein

from aggregation.align.network import SILENT

#: Cells (slots × tokens) above which a window is aligned by plain edit distance.
MAX_CELLS = 20_000
#: Cost of a token in a slot of its own.
INSERTION = 1.0
#: Cost of leaving out a slot that all engines so far fill, and what their silence takes off it.
DELETION, DELETION_SILENT = 1.0, 0.9
#: Cost of joining a slot with no engine saying the same word, before the share that does.
MATCH = 0.1
#: Cost of joining a slot of other words: at worst, less by their likeness in spelling,
#: more by the share of engines that are silent there.
SUBSTITUTION, LIKENESS, SUBSTITUTION_SILENT = 1.15, 0.6, 0.05
#: Seconds that cost nothing, cost per second beyond, the most seconds that are counted.
FREE_SECONDS, COST_PER_SECOND, MAX_SECONDS = 0.3, 0.5, 2.0

#: Costs nearer than this are equal: the earlier of the steps counts.
EQUAL = 1e-12

#: A slot's words with their number of engines, and its time; the words may include silence.
Slot = tuple[dict[int, int], float]
#: (slot or −1, token or −1), in order.
Pair = tuple[int, int]


class Likeness:
    """Remembers how alike two words are spelt, by their ids."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Prepare for the words of one network."""
        self._words = vocabulary
        self._known: dict[int, float] = {}

    def cost(self, first: int, second: int) -> float:
        """Return the substitution's cost, from 0.55 (nearly equal) to 1.15 (nothing shared)."""
        key = (
            first * len(self._words) + second
            if first < second
            else (second * len(self._words) + first)
        )
        cost = self._known.get(key)
        if cost is None:
            ratio = Indel.normalized_similarity(self._words[first], self._words[second])
            cost = self._known[key] = SUBSTITUTION - LIKENESS * ratio
        return cost


def align_window(
    slots: list[Slot], tokens: list[int], times: list[float], likeness: Likeness
) -> list[Pair]:
    """Return the cheapest alignment; all slots and all tokens appear once, in order."""
    if len(slots) == len(tokens) == 1:
        return _one_by_one(slots[0], tokens[0], times[0], likeness)
    if len(slots) * len(tokens) > MAX_CELLS:
        return _by_edit_distance(slots, tokens)
    return _trace(_fill(slots, tokens, times, likeness), len(slots), len(tokens))


def _one_by_one(slot: Slot, token: int, at: float, likeness: Likeness) -> list[Pair]:
    """Return what `_fill` would find for one slot with one token: most windows are no larger."""
    words, time = slot
    total = sum(words.values())
    join = _join(words, total, token, likeness) + _drift(abs(time - at))
    apart = _skip(words, total) + INSERTION
    return [(-1, 0), (0, -1)] if apart < join - EQUAL else [(0, 0)]


def _fill(
    slots: list[Slot], tokens: list[int], times: list[float], likeness: Likeness
) -> list[bytearray]:
    """Return, per cell, the step that led there: 0 both, 1 the slot alone, 2 the token alone."""
    width = len(tokens)
    row = [j * INSERTION for j in range(width + 1)]
    steps = [bytearray([2] * (width + 1))]
    for words, time in slots:
        total = sum(words.values())
        skip = _skip(words, total)
        joins = [_join(words, total, token, likeness) for token in tokens]
        if time == time:  # noqa: PLR0124 - not NaN
            joins = [cost + _drift(abs(time - at)) for cost, at in zip(joins, times, strict=True)]
        above = row
        left = above[0] + skip
        row = [left]
        step = bytearray(width + 1)
        step[0] = 1
        for j, join in enumerate(joins):
            best, how = above[j] + join, 0
            if (cost := above[j + 1] + skip) < best - EQUAL:
                best, how = cost, 1
            if (cost := left + INSERTION) < best - EQUAL:
                best, how = cost, 2
            left = best
            row.append(best)
            step[j + 1] = how
        steps.append(step)
    return steps


def _skip(words: dict[int, int], total: int) -> float:
    return DELETION - DELETION_SILENT * words.get(SILENT, 0) / total


def _join(words: dict[int, int], total: int, token: int, likeness: Likeness) -> float:
    count = words.get(token)
    if count is not None:
        return MATCH * (1 - count / total)
    cost = min(likeness.cost(token, word) for word in words if word != SILENT)
    return cost + SUBSTITUTION_SILENT * words.get(SILENT, 0) / total


def _drift(seconds: float) -> float:
    if math.isnan(seconds) or seconds <= FREE_SECONDS:
        return 0.0
    return COST_PER_SECOND * min(seconds - FREE_SECONDS, MAX_SECONDS)


def _trace(steps: list[bytearray], i: int, j: int) -> list[Pair]:
    pairs: list[Pair] = []
    while i or j:
        how = steps[i][j]
        if how == 0:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif how == 1:
            i -= 1
            pairs.append((i, -1))
        else:
            j -= 1
            pairs.append((-1, j))
    return pairs[::-1]


def _by_edit_distance(slots: list[Slot], tokens: list[int]) -> list[Pair]:
    top = [max((n, w) for w, n in words.items() if w != SILENT)[1] for words, _ in slots]
    pairs: list[Pair] = []
    for op in Levenshtein.opcodes(top, tokens):
        both = min(op.src_end - op.src_start, op.dest_end - op.dest_start)
        pairs += [(op.src_start + k, op.dest_start + k) for k in range(both)]
        pairs += [(i, -1) for i in range(op.src_start + both, op.src_end)]
        pairs += [(-1, j) for j in range(op.dest_start + both, op.dest_end)]
    return pairs
