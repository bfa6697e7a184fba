"""BLEU between engines: sacrebleu's tokens and definition, counted once per engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from aggregation.heard import IntArray
from aggregation.language import Rule
from aggregation.tokens import Tokens

#: The longest n-gram that is counted (Papineni and others 2002).
MAX_NGRAM = 4
#: Distinct words whose parts are remembered by a process.
MEMORY_WORDS = 100_000
#: Multiplier of the n-grams' fingerprints (the golden ratio in 64 bits).
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Counted(NamedTuple):
    """One text's n-grams: for each length, fingerprints with their counts."""

    length: int
    grams: tuple[tuple[IntArray, IntArray], ...]


def count_ngrams(tokens: Tokens, rule: Rule) -> Counted:
    """Count the n-grams of an engine's surfaces, lower case.

    Chinese is cut into characters (sacrebleu's `zh`), all else by its `13a`, which sees no
    further than white space: every distinct word is cut once.
    """
    text = tokens.heard.text.lower().replace("-\n", "")
    if rule is Rule.CHINESE:
        words = _tokeniser("zh")(text).split()
    else:
        words = [part for word in text.split() for part in _parts(word)]
    ids = np.array([hash(word) for word in words], dtype=np.int64).astype(np.uint64)
    grams = []
    key = np.zeros(len(ids), dtype=np.uint64)
    for size in range(1, MAX_NGRAM + 1):
        count = max(len(ids) - size + 1, 0)
        key = key[:count] * _MIX + ids[size - 1 : size - 1 + count]
        grams.append(np.unique(key.astype(np.int64), return_counts=True))
    return Counted(len(words), tuple(grams))


def bleu(reference: Counted, hypothesis: Counted) -> float:
    """Return BLEU, 0 to 1, by sacrebleu's formula (exponential smoothing, effective order)."""
    if not reference.length or not hypothesis.length:
        return float(reference.length == hypothesis.length)
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - at first use

    hits: list[int] = []
    for (known, known_count), (said, said_count) in zip(
        reference.grams, hypothesis.grams, strict=True
    ):
        _, in_known, in_said = np.intersect1d(known, said, assume_unique=True, return_indices=True)
        hits.append(int(np.minimum(known_count[in_known], said_count[in_said]).sum()))
    totals = [int(count.sum()) for _, count in hypothesis.grams]
    score = BLEU.compute_bleu(
        hits, totals, hypothesis.length, reference.length, "exp", effective_order=True
    )
    return float(min(max(score.score / 100, 0.0), 1.0))


@lru_cache(maxsize=MEMORY_WORDS)
def _parts(word: str) -> list[str]:
    if word.isalnum():  # only marks are cut off
        return [word]
    return _tokeniser("13a")(word).split()


@cache
def _tokeniser(name: str) -> Callable[[str], str]:
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - at first use

    tokenise: Callable[[str], str] = BLEU(tokenize=name).tokenizer
    return tokenise
