"""The learned vote: a conditional logit over the evidence for each candidate."""

from __future__ import annotations

import numpy as np

from aggregation.align.network import ABSTAINS
from aggregation.heard import FloatArray
from aggregation.merge.context import Choice, Context
from aggregation.merge.features import features, majority
from aggregation.merge.weights import WEIGHTS


def learned(context: Context) -> Choice:
    """Take, in each disputed slot, the candidate that the shipped weights find most likely."""
    return choose(context, np.array(WEIGHTS))


def choose(context: Context, weights: FloatArray) -> Choice:
    """Take, in each disputed slot, the candidate with the highest weighted evidence."""
    found = features(context)
    ids = majority(context)
    rule = np.zeros(len(ids), dtype=np.int64)
    if len(found.slots):
        score = np.round(found.values @ weights, 9)
        score[found.ids == ABSTAINS] = -np.inf
        chosen = np.take_along_axis(found.ids, score.argmax(axis=1)[:, None], axis=1)[:, 0]
        rule[found.slots] = 1 + (chosen != ids[found.slots])
        ids = ids.copy()
        ids[found.slots] = chosen
    return Choice(ids, rule, ("agreed", "learned, with the majority", "learned, against it"))
