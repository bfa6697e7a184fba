"""Chooses the engine whose segments, casing and punctuation lead the merged transcript."""

from __future__ import annotations

import numpy as np

from aggregation.merge.context import Context
from aggregation.merge.style import style_of

#: How much word accuracy an engine may lack against the best and still lead by its writing.
ACCURACY_LEEWAY = 0.15
#: The fewest words, as a share of the longest text's, of an engine that leads.
LENGTH_SHARE = 0.5


def choose_pivot(context: Context) -> int:
    """Return the column of the best-writing engine among the well trusted."""
    network = context.network
    longest = max(len(tokens) for tokens in network.tokens)
    accuracy = context.trust.accuracy
    fit = [
        column
        for column, tokens in enumerate(network.tokens)
        if accuracy[column] >= accuracy.max() - ACCURACY_LEEWAY
        and len(tokens) >= LENGTH_SHARE * longest
    ] or [int(np.argmax(accuracy))]

    def rank(column: int) -> tuple[int, float, int]:
        style = style_of(network.tokens[column])
        return style.cased + style.punctuated, float(accuracy[column]), -column

    return max(fit, key=rank)
