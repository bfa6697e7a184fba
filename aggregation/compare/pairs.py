"""Compares the engines two by two."""

from __future__ import annotations

from aggregation.align.network import Network
from aggregation.compare.bleu import bleu, count_ngrams
from aggregation.compare.distance import Distances
from aggregation.compare.semantic import semantic_similarities
from aggregation.compare.timing import compare_times
from aggregation.language import Rule
from schemas.report import PairComparison

#: An error rate is shown as this at most: a text against an empty reference has no bound.
MAX_RATE = 1_000.0


def compare_pairs(network: Network, distances: Distances, rule: Rule) -> tuple[PairComparison, ...]:
    """Return a comparison for every two engines, by name."""
    columns = {engine: column for column, engine in enumerate(network.engines)}
    semantic = semantic_similarities([tokens.norms for tokens in network.tokens])
    grams = [count_ngrams(tokens, rule) for tokens in network.tokens]
    letters = [sum(map(len, tokens.norms)) for tokens in network.tokens]
    found: list[PairComparison] = []
    for (first, second), distance in distances.items():
        i, j = columns[first], columns[second]
        words_i, words_j = len(network.tokens[i]), len(network.tokens[j])
        found.append(
            PairComparison(
                first=first,
                second=second,
                similarity=similarity(distance.words, words_i, words_j),
                wer_of_second=rate(distance.words, words_i),
                wer_of_first=rate(distance.words, words_j),
                cer_of_second=rate(distance.characters, letters[i]),
                cer_of_first=rate(distance.characters, letters[j]),
                bleu=bleu(grams[i], grams[j]),
                semantic=semantic[i][j],
                timing=compare_times(network, i, j),
            )
        )
    return tuple(found)


def similarity(errors: int, first: int, second: int) -> float:
    """Return 1 − errors / words of the longer text; two empty texts are the same."""
    longest = max(first, second)
    return max(0.0, 1 - errors / longest) if longest else 1.0


def rate(errors: int, words: int) -> float:
    """Return errors per word of the reference; with an empty one, 0 or `MAX_RATE`."""
    if words:
        return min(errors / words, MAX_RATE)
    return 0.0 if not errors else MAX_RATE


def overall_similarity(pairs: tuple[PairComparison, ...]) -> float:
    """Return the mean of the pairs' similarities; 1.0 for a single engine."""
    return sum(pair.similarity for pair in pairs) / len(pairs) if pairs else 1.0
