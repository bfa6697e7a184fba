"""The parts of an engine's quality, each a number from 0 (worst) to 1 (best)."""

from __future__ import annotations

import numpy as np

from aggregation.align.network import ABSTAINS, Network
from aggregation.heard import BoolArray, FloatArray, IntArray
from aggregation.merge.style import style_of
from schemas.report import Finding, FindingKind

#: Seconds within which two engines' starts of a word count as the same.
PRECISE_SECONDS = 0.2
#: Slots in a window of the consistency.
WINDOW_SLOTS = 50
#: What of the text quality casing and punctuation are worth, each.
STYLE_WORTH = 0.1


def kept(network: Network, chosen: IntArray, column: int) -> float | None:
    """Return the share of the engine's words that the merge took; None when it wrote none."""
    here = network.index[:, column]
    spoken = here >= 0
    if not spoken.any():
        return None
    said = network.words[column][here[spoken]]
    return float((said == chosen[spoken]).mean())


def fit(network: Network, chosen: IntArray, column: int) -> float:
    """Return the share of places with a say where the engine has what the merge has."""
    ids = network.ids[:, column]
    voice = ids != ABSTAINS
    return float((ids[voice] == chosen[voice]).mean()) if voice.any() else 0.0


def places(network: Network, column: int) -> int:
    """Return the number of places where the engine has a say."""
    return int((network.ids[:, column] != ABSTAINS).sum())


def text_quality(network: Network, column: int, findings: tuple[Finding, ...]) -> float:
    """Return 0.8 × (1 − invented share) × (1 − missed share) + 0.1 cased + 0.1 punctuated."""
    tokens = network.tokens[column]
    if not len(tokens):
        return 0.0
    mine = [finding for finding in findings if finding.engine == tokens.engine]
    invented = sum(f.words for f in mine if f.kind is FindingKind.HALLUCINATION)
    missed = sum(f.words for f in mine if f.kind is FindingKind.GAP)
    clean = (1 - min(invented / len(tokens), 1)) * (1 - missed / (missed + len(tokens)))
    style = style_of(tokens)
    worth = STYLE_WORTH * (style.cased + style.punctuated)
    return (1 - 2 * STYLE_WORTH) * clean + worth


def timestamp_precision(network: Network, column: int) -> float | None:
    """Return the share of word starts near the median of the others that said the word there."""
    starts = np.full(network.index.shape, np.nan)
    shared = network.ids == network.ids[:, column : column + 1]
    for other, tokens in enumerate(network.tokens):
        if len(tokens):
            here = network.index[:, other]
            starts[:, other] = np.where((here >= 0) & shared[:, other], tokens.start[here], np.nan)
    own = starts[:, column]
    others = np.delete(starts, column, axis=1)
    usable = np.isfinite(own) & np.isfinite(others).any(axis=1)
    if not usable.any():
        return None
    reference = np.nanmedian(others[usable], axis=1)
    return float((np.abs(own[usable] - reference) <= PRECISE_SECONDS).mean())


def confidence(network: Network, column: int) -> tuple[float | None, float, float | None]:
    """Return mean confidence, coverage and reliability.

    Reliability is the probability that a word which others share is surer than one they do not
    (the area under the ROC curve); 0.5 says nothing. None without both sorts of words.
    """
    tokens = network.tokens[column]
    here = np.flatnonzero(network.index[:, column] >= 0)
    values = tokens.confidence[network.index[here, column]]
    known = np.isfinite(values)
    if not known.any():
        return None, 0.0, None
    ids = network.ids[here[known]]
    shared = (ids == ids[:, column : column + 1]).sum(axis=1) > 1
    reliability = area(values[known], shared)
    return float(values[known].mean()), float(known.mean()), reliability


def area(values: FloatArray, positive: BoolArray) -> float | None:
    """Return the probability that a positive's value exceeds a negative's; ties count half."""
    good, bad = int(positive.sum()), int((~positive).sum())
    if not good or not bad:
        return None
    ordered = np.sort(values)
    low = np.searchsorted(ordered, values, side="left")
    high = np.searchsorted(ordered, values, side="right")
    ranks = (low + high + 1) / 2
    return float((ranks[positive].sum() - good * (good + 1) / 2) / (good * bad))


def consistency(network: Network, chosen: IntArray, column: int) -> float:
    """Return 1 − 2 × the standard deviation of the fit over windows of `WINDOW_SLOTS` slots."""
    count = len(network) // WINDOW_SLOTS
    if count < 2:  # noqa: PLR2004 - one window has no spread
        return 1.0
    good = (network.ids[:, column] == chosen)[: count * WINDOW_SLOTS]
    spread = float(good.reshape(count, WINDOW_SLOTS).mean(axis=1).std())
    return max(0.0, 1 - 2 * spread)
