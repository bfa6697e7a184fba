"""The conditional logit: how likely each candidate of a disputed slot is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aggregation.align.network import ABSTAINS, SILENT
from aggregation.heard import FloatArray
from aggregation.merge.features import SILENCE_TRUST, TRUST_SHARE, Features, trust_share
from aggregation.merge.weights import WEIGHTS


def scores(
    found: Features, log_odds: FloatArray, weights: Sequence[float] | None = None
) -> FloatArray:
    """Return, disputed slots × engines, the weighted evidence; −∞ where an engine has no say.

    Args:
        found: The evidence.
        log_odds: Per engine, the weight of its say.
        weights: One number for each feature; None: the shipped ones.
    """
    weight = np.array(WEIGHTS if weights is None else weights)
    of_trust = weight[TRUST_SHARE] + weight[SILENCE_TRUST] * (found.ids == SILENT)
    score: FloatArray = found.values @ weight + trust_share(found, log_odds) * of_trust
    score[found.ids == ABSTAINS] = -np.inf
    rounded: FloatArray = np.round(score, 9)
    return rounded


def likely(
    found: Features, log_odds: FloatArray, weights: Sequence[float] | None = None
) -> FloatArray:
    """Return, disputed slots × engines, the probability that the engine's candidate is right.

    As if one candidate of each slot were; 0 where an engine has no say.
    """
    score = scores(found, log_odds, weights)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    share = weight / np.maximum(found.same.sum(axis=2), 1)
    result: FloatArray = weight / share.sum(axis=1, keepdims=True)
    return result
