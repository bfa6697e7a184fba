"""Edit distances that stay near linear: exact for short texts, piece by piece for long ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from aggregation.align.anchors import pieces
from aggregation.align.network import number_words
from aggregation.heard import IntArray
from aggregation.tokens import Tokens


class Distance(NamedTuple):
    """Substitutions, deletions, insertions between two engines' normal forms."""

    words: int
    #: The same in characters, spaces aside.
    characters: int


#: Distances by the two engines' names, in alphabetical order.
Distances = dict[tuple[str, str], Distance]


def distances(tokens: Sequence[Tokens]) -> Distances:
    """Return the distance between every two engines."""
    _, numbered = number_words(tokens)
    named = sorted(zip(tokens, numbered, strict=True), key=lambda pair: pair[0].engine)
    return {
        (one.engine, two.engine): edit_distance(one.norms, one_ids, two.norms, two_ids)
        for (one, one_ids), (two, two_ids) in combinations(named, 2)
    }


def edit_distance(
    first: list[str], first_ids: IntArray, second: list[str], second_ids: IntArray
) -> Distance:
    """Return the distance between two texts, given as words and as the words' ids.

    Texts of more than `anchors.PIECE_WORDS` words are cut where both surely meet (equal n-grams
    that each has once); the sum over the pieces is then an upper bound, in practice the distance.
    """
    words = characters = 0
    for a, b, c, d in pieces(first_ids, second_ids):
        words += Levenshtein.distance(first_ids[a:b].tolist(), second_ids[c:d].tolist())
        characters += Levenshtein.distance("".join(first[a:b]), "".join(second[c:d]))
    return Distance(words, characters)
