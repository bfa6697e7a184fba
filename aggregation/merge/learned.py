"""The learned vote: a conditional logit over the evidence for each candidate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aggregation.merge.context import Choice, Context
from aggregation.merge.features import majority
from aggregation.merge.logit import scores


def learned(context: Context) -> Choice:
    """Take, in each disputed slot, the candidate that the shipped weights find most likely."""
    return choose(context)


def choose(context: Context, weights: Sequence[float] | None = None) -> Choice:
    """Take, in each disputed slot, the candidate with the highest weighted evidence."""
    found = context.evidence
    ids = majority(context.network)
    rule = np.zeros(len(ids), dtype=np.int64)
    if len(found.slots):
        score = scores(found, context.trust.log_odds, weights)
        chosen = np.take_along_axis(found.ids, score.argmax(axis=1)[:, None], axis=1)[:, 0]
        rule[found.slots] = 1 + (chosen != ids[found.slots])
        ids = ids.copy()
        ids[found.slots] = chosen
    return Choice(ids, rule, ("agreed", "learned, with the majority", "learned, against it"))
