"""Estimates how much each engine is to be trusted, from evaluations or from agreement alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aggregation.align.network import ABSTAINS, SILENT, Network
from aggregation.heard import FloatArray
from aggregation.merge.features import Features
from aggregation.merge.logit import likely

#: Word accuracy that is assumed of an engine of which nothing is known.
NEUTRAL_ACCURACY = 0.87
#: Words of evidence that the assumption counts as: engines differ widely.
NEUTRAL_WORDS = 20.0
#: Words of evidence that what is known before counts as, at most.
EVALUATED_WORDS = 20_000.0
#: The most rounds of expectation and maximisation; a change below which there are no more.
ROUNDS, SETTLED = 20, 1e-4
#: Share of disputed slots where any engine is right.
AMONG_US = 0.9
#: Silent places that count for an engine's accuracy, at most: so many, and this share of its
#: words. Beyond that it has missed stretches, which says nothing about the words it has.
SILENT_PLACES, SILENT_SHARE = 20.0, 0.03
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


def estimate_trust(
    network: Network,
    evidence: Features,
    prior: Mapping[str, Prior] | None = None,
    weights: Sequence[float] | None = None,
) -> Trust:
    """Return each column's accuracy: its prior, moved by how likely its words are right here.

    One accuracy per engine by expectation-maximisation (Dawid & Skene 1979), with the prior as
    pseudo-counts and the learned vote as the judge of each disputed slot: it knows the language
    and the recording's own words, so that it can tell even two engines apart.

    Args:
        network: The aligned engines.
        evidence: What speaks for each candidate of the disputed slots.
        prior: What is known of the engines; those not in it are neutral.
        weights: The learned vote's; None: the shipped ones.
    """
    known = [(prior or {}).get(engine, NEUTRAL) for engine in network.engines]
    evaluated = tuple(one.evaluated for one in known)
    base = np.clip(np.array([one.accuracy for one in known]), LOWEST, HIGHEST)
    strength = np.array([min(one.words, EVALUATED_WORDS) + NEUTRAL_WORDS for one in known])
    if not len(evidence.slots):
        return Trust(base, evaluated)
    ids = network.ids
    agreed = float(((ids == ids[:, :1]).all(axis=1) & (ids[:, 0] > 0)).sum())
    counts = _counts(evidence, agreed)
    places = agreed + counts.sum(axis=0) + strength
    trust = Trust(base, evaluated)
    for _ in range(ROUNDS):
        right = AMONG_US * (likely(evidence, trust.log_odds, weights) * counts).sum(axis=0)
        accuracy = np.clip((agreed + right + strength * base) / places, LOWEST, HIGHEST)
        moved = float(np.abs(accuracy - trust.accuracy).max())
        trust = Trust(accuracy, evaluated)
        if moved < SETTLED:
            break
    return trust


def _counts(evidence: Features, agreed: float) -> FloatArray:
    """Return, disputed slots × engines, how much each place counts for the engine's accuracy."""
    silent = evidence.ids == SILENT
    words = agreed + (evidence.ids > SILENT).sum(axis=0)
    most = SILENT_PLACES + SILENT_SHARE * words
    share = np.minimum(1.0, most / np.maximum(silent.sum(axis=0), 1))
    result: FloatArray = np.where(silent, share, 1.0) * (evidence.ids != ABSTAINS)
    return result


def dependability(network: Network, trust: Trust) -> FloatArray:
    """Return each column's accuracy, less the share of places where it missed or invented."""
    voice = (network.ids != ABSTAINS).mean(axis=0) if len(network) else 1.0
    result: FloatArray = trust.accuracy * voice
    return result
