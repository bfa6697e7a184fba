"""Estimates how much each engine is to be trusted, from evaluations or from agreement alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aggregation.align.network import ABSTAINS, Network
from aggregation.heard import FloatArray, IntArray

#: Word accuracy that is assumed of an engine of which nothing is known.
NEUTRAL_ACCURACY = 0.87
#: Words of evidence that the assumption, or the evaluation, counts as.
NEUTRAL_WORDS, EVALUATED_WORDS = 200.0, 20_000.0
#: Engines from which agreement can tell which one errs.
MIN_ENGINES = 3
#: Rounds of expectation and maximisation; the estimates move by < 0.001 after the third.
ROUNDS = 3
#: Accuracies are held inside these, so that no engine outvotes all others for ever.
LOWEST, HIGHEST = 0.02, 0.98


class Prior(NamedTuple):
    """What is known of an engine before this recording."""

    accuracy: float
    #: Words that the accuracy rests on.
    words: float = EVALUATED_WORDS
    #: Whether it comes from references; False: from agreement in earlier recordings.
    evaluated: bool = True


#: What is assumed of an engine of which nothing is known.
NEUTRAL = Prior(NEUTRAL_ACCURACY, 0.0, evaluated=False)


@dataclass(frozen=True, slots=True)
class Trust:
    """Word accuracy by engine, in the network's column order.

    Attributes:
        accuracy: Between `LOWEST` and `HIGHEST`.
        evaluated: Per column, whether it rests on an evaluation against references.
    """

    accuracy: FloatArray
    evaluated: tuple[bool, ...]

    @property
    def log_odds(self) -> FloatArray:
        """The weight of each engine's vote: the logarithm of its odds to be right."""
        return np.log(self.accuracy / (1 - self.accuracy))


def estimate_trust(network: Network, prior: Mapping[str, Prior] | None = None) -> Trust:
    """Return each column's accuracy: its prior, moved by how well it fits the others here.

    One accuracy per engine by expectation-maximisation (Dawid & Skene 1979), with the prior as
    pseudo-counts. Where engines are few or the recording is short the prior stays; agreement
    cannot tell two engines apart at all.

    Args:
        network: The aligned engines.
        prior: What is known of the engines; those not in it are neutral.
    """
    known = [(prior or {}).get(engine, NEUTRAL) for engine in network.engines]
    evaluated = tuple(one.evaluated for one in known)
    base = np.clip(np.array([one.accuracy for one in known]), LOWEST, HIGHEST)
    strength = np.array([min(one.words, EVALUATED_WORDS) + NEUTRAL_WORDS for one in known])
    ids = network.ids
    disputed = (ids != ids[:, :1]).any(axis=1) & (ids != ABSTAINS).all(axis=1)
    if len(network.engines) < MIN_ENGINES or not disputed.any():
        return Trust(base, evaluated)
    agreed = float(((ids == ids[:, :1]).all(axis=1) & (ids[:, 0] > 0)).sum())
    accuracy = base
    rows = ids[disputed]
    for _ in range(ROUNDS):
        right = agreed + posterior(rows, np.log(accuracy / (1 - accuracy))).sum(axis=0)
        accuracy = (right + strength * base) / (agreed + len(rows) + strength)
        accuracy = np.clip(accuracy, LOWEST, HIGHEST)
    return Trust(accuracy, evaluated)


def posterior(ids: IntArray, log_odds: FloatArray) -> FloatArray:
    """Return, slots × engines, how likely each one's word is right; all may be wrong."""
    same = ids[:, :, None] == ids[:, None, :]
    support = (same * log_odds[None, None, :]).sum(axis=2)
    first = np.triu(np.ones((ids.shape[1],) * 2, dtype=bool), k=0).T[None] & same
    is_first = first.argmax(axis=2) == np.arange(ids.shape[1])[None]
    top = support.max(axis=1, keepdims=True)
    weight = np.exp(support - top)
    total = (weight * is_first).sum(axis=1, keepdims=True) + np.exp(-top)
    likely: FloatArray = weight / total
    return likely
