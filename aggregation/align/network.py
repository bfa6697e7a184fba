"""The confusion network: a row for each place in the recording, a column for each engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aggregation.heard import FloatArray, IntArray
from aggregation.tokens import Tokens

#: The id of "this engine says nothing here".
SILENT = 0
#: The id of "this engine has no say here": its words were vetoed, or it missed the stretch.
ABSTAINS = -1


@dataclass(frozen=True, slots=True)
class Network:
    """What each engine says in each slot.

    Attributes:
        tokens: The engines' tokens; the columns' order, the most trusted first.
        vocabulary: Normal form by id; ids 1 and up are words.
        index: Slots × engines: the token's index in its engine's tokens, −1 for none.
        ids: Slots × engines: the word's id, `SILENT` or `ABSTAINS`.
        middle: Seconds of each slot, the mean of its tokens' estimates; NaN without times.
        words: Per engine, the ids of all its words in its own order.
    """

    tokens: tuple[Tokens, ...]
    vocabulary: list[str]
    index: IntArray
    ids: IntArray
    middle: FloatArray
    words: tuple[IntArray, ...]

    def __len__(self) -> int:
        """Return the number of slots."""
        return len(self.index)

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines' names in the columns' order."""
        return tuple(tokens.engine for tokens in self.tokens)


def number_words(tokens: Sequence[Tokens]) -> tuple[list[str], list[IntArray]]:
    """Give every distinct normal form an id from 1; return the vocabulary and each engine's ids."""
    known: dict[str, int] = {"": SILENT}
    numbered: list[IntArray] = []
    for engine in tokens:
        ids = [known.setdefault(norm, len(known)) for norm in engine.norms]
        numbered.append(np.array(ids, dtype=np.int64))
    return list(known), numbered


def slot_times(index: IntArray, middles: Sequence[FloatArray]) -> FloatArray:
    """Return each slot's mean time in seconds; NaN where no engine has any."""
    total = np.zeros(len(index))
    count = np.zeros(len(index))
    for column, middle in enumerate(middles[: index.shape[1]]):
        if not len(middle):
            continue
        here = index[:, column]
        time = np.where(here >= 0, middle[here], np.nan)
        known = np.isfinite(time)
        total[known] += time[known]
        count[known] += 1
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)


def top_words(ids: IntArray) -> IntArray:
    """Return the word that most columns have in each slot; the earlier column wins a tie."""
    votes = np.zeros(ids.shape, dtype=np.int64)
    for column in range(ids.shape[1]):
        votes += ids == ids[:, column : column + 1]
    votes[ids <= SILENT] = -1
    return np.take_along_axis(ids, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
