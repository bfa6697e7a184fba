"""Counts word errors as published figures do: Whisper's English rules on both sides."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein
from whisper_normalizer.english import EnglishTextNormalizer

from aggregation.normalise.chinese import atoms

#: The language tag of speech whose words are letters and digits.
SPELT = "en-x-spelt"


class Errors(NamedTuple):
    """Word errors of one hypothesis."""

    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def total(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions


@cache
def _normaliser() -> EnglishTextNormalizer:
    return EnglishTextNormalizer()


def normal(text: str, language: str = "en") -> list[str]:
    """Return the words of a whole text by Whisper's English rules.

    Of Chinese, and of what is spelt or dictated (`en-x-spelt`), the characters: how engines group
    letters and digits is no error.
    """
    if language.startswith("zh"):
        forms = (form for _, _, atom in atoms(text) for form in atom)
        return list("".join(forms))
    words = _normaliser()(text).split()
    return list("".join(words)) if language == SPELT else words


def count(reference: list[str], hypothesis: list[str]) -> Errors:
    """Count the errors of a cheapest alignment."""
    kinds = {"replace": 0, "delete": 0, "insert": 0}
    for op in Levenshtein.editops(reference, hypothesis):
        kinds[op.tag] += 1
    return Errors(kinds["replace"], kinds["delete"], kinds["insert"], len(reference))


def rate(errors: list[Errors]) -> float:
    """Return the word error rate in percent over all recordings together."""
    return 100 * sum(e.total for e in errors) / max(sum(e.words for e in errors), 1)


def interval(errors: list[Errors], rounds: int = 1000) -> tuple[float, float]:
    """Return the bootstrap 95 % interval of the rate, resampling recordings (seed 0)."""
    totals = np.array([e.total for e in errors], dtype=np.float64)
    words = np.array([e.words for e in errors], dtype=np.float64)
    draws = np.random.default_rng(0).integers(0, len(errors), (rounds, len(errors)))
    rates = 100 * totals[draws].sum(axis=1) / np.maximum(words[draws].sum(axis=1), 1)
    return float(np.quantile(rates, 0.025)), float(np.quantile(rates, 0.975))
