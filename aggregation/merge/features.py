"""The evidence for each candidate of each disputed slot, as numbers for the learned vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Indel

from aggregation.align.network import ABSTAINS, SILENT, Network
from aggregation.heard import BoolArray, FloatArray, IntArray
from aggregation.merge.context import Context
from aggregation.merge.votes import silence_runs

#: Slots on each side that count as near.
NEAR = 2
#: The longest silence, in slots, that is told from longer ones.
MAX_RUN = 10

#: What each column of the features means, in order.
NAMES = (
    "trust_share",  # the supporters' share of all log-odds with a say here
    "count_share",  # their share of the engines with a say here
    "majority",  # no candidate has more supporters
    "silence",  # the candidate is silence
    "silence_trust",
    "silence_count",
    "sureness",  # mean calibrated confidence of supporters, above their engines' means
    "elsewhere",  # log count of the word in agreed slots of this recording
    "left_pair",  # log count of (word before, candidate) elsewhere in the engines' texts
    "right_pair",  # log count of (candidate, word after)
    "bridge",  # silence: log count of (word before, word after)
    "near",  # how often supporters are with the majority in the slots around
    "spelling",  # the best likeness to a rival's spelling
    "length",  # log of the word's characters
    "repeat",  # equals the word chosen before or after
    "silence_run",  # log length of the supporters' silence around: they missed, not denied
)


@dataclass(frozen=True, slots=True)
class Features:
    """Candidates of the disputed slots.

    Attributes:
        slots: Indices of the disputed slots.
        ids: Disputed slots × engines: the candidates, one a column (equal words repeat).
        values: Disputed slots × engines × features.
    """

    slots: IntArray
    ids: IntArray
    values: FloatArray


def disputed(network: Network) -> IntArray:
    """Return the slots where engines with a say differ."""
    ids = network.ids
    top = ids.max(axis=1, keepdims=True)
    return np.flatnonzero(((ids != top) & (ids != ABSTAINS)).any(axis=1))


def majority(context: Context) -> IntArray:
    """Return each slot's plain winner: most supporters, then the most trusted."""
    ids = context.network.ids
    votes = np.zeros(ids.shape)
    for column in range(ids.shape[1]):
        votes += ids == ids[:, column : column + 1]
    votes[ids == ABSTAINS] = -1
    winner: IntArray = np.take_along_axis(ids, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.maximum(winner, SILENT)


def features(context: Context) -> Features:
    """Compute every candidate's evidence."""
    network = context.network
    slots = disputed(network)
    ids = network.ids[slots]
    voice = ids != ABSTAINS
    winner = majority(context)
    same = (ids[:, :, None] == ids[:, None, :]) & voice[:, None, :] & voice[:, :, None]
    backers = np.maximum(same.sum(axis=2), 1)
    weight = context.trust.log_odds
    all_weight = np.maximum((voice * weight).sum(axis=1, keepdims=True), 1e-6)
    trust_share = (same * weight).sum(axis=2) / all_weight
    count_share = backers / np.maximum(voice.sum(axis=1, keepdims=True), 1)
    silent = ids == SILENT
    left, right = _neighbours(winner, slots)
    columns = [
        trust_share,
        count_share,
        backers == backers.max(axis=1, keepdims=True),
        silent,
        silent * trust_share,
        silent * count_share,
        _mean(context.sureness[slots], same, backers) * ~silent,
        _elsewhere(network, winner, ids),
        *_pairs(network, ids, left, right, backers),
        _mean(_agreement(network, winner, slots), same, backers),
        _spelling(network, ids),
        _lengths(network)[np.maximum(ids, 0)],
        ~silent & ((ids == left[:, None]) | (ids == right[:, None])),
        _mean(_silences(network)[slots], same, backers) * silent,
    ]
    return Features(slots, ids, np.stack(columns, axis=2).astype(np.float64))


def _mean(values: FloatArray, same: BoolArray, backers: IntArray) -> FloatArray:
    """Average a per-engine value over each candidate's supporters."""
    mean: FloatArray = np.einsum("sn,scn->sc", values, same) / backers
    return mean


def _neighbours(winner: IntArray, slots: IntArray) -> tuple[IntArray, IntArray]:
    """Return, per slot, the nearest winning word before and after it; `SILENT` at the ends."""
    places = np.flatnonzero(winner > SILENT)
    words = np.concatenate([[SILENT], winner[places], [SILENT]])
    left = words[np.searchsorted(places, slots, side="left")]
    right = words[np.searchsorted(places, slots, side="right") + 1]
    return left, right


def _elsewhere(network: Network, winner: IntArray, ids: IntArray) -> FloatArray:
    """Count each word in the slots where more than half of the engines say it."""
    agreed = (network.ids == winner[:, None]).sum(axis=1) * 2 > network.ids.shape[1]
    counts = np.bincount(winner[agreed], minlength=len(network.vocabulary)).astype(np.float64)
    counts[SILENT] = 0
    result: FloatArray = np.log1p(counts)[np.maximum(ids, 0)]
    return result


def _pairs(
    network: Network, ids: IntArray, left: IntArray, right: IntArray, backers: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Count the pairs around and across the place in all engines' texts, less this place."""
    size = len(network.vocabulary)
    keys = [words[:-1] * size + words[1:] for words in network.words]
    pairs, counts = np.unique(np.concatenate(keys), return_counts=True)

    def count(first: IntArray, second: IntArray, usable: BoolArray) -> FloatArray:
        wanted = first * size + second
        if not len(pairs):
            return np.zeros(usable.shape)
        at = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
        found = np.where(pairs[at] == wanted, counts[at], 0)
        result: FloatArray = np.log1p(np.maximum(found - backers, 0) * usable)
        return result

    before, after = left[:, None], right[:, None]
    spoken = ids > SILENT
    return (
        count(before, ids, spoken & (before > SILENT)),
        count(ids, after, spoken & (after > SILENT)),
        count(before, after, (ids == SILENT) & (before > SILENT) & (after > SILENT)),
    )


def _agreement(network: Network, winner: IntArray, slots: IntArray) -> FloatArray:
    """Return each engine's share of agreement with the winner near a slot, the slot left out."""
    right = (network.ids == winner[:, None]).astype(np.float64)
    total = np.concatenate([np.zeros((1, right.shape[1])), np.cumsum(right, axis=0)])
    low = np.maximum(slots - NEAR, 0)
    high = np.minimum(slots + NEAR + 1, len(winner))
    share: FloatArray = (total[high] - total[low] - right[slots]) / np.maximum(high - low - 1, 1)[
        :, None
    ]
    return share


def _silences(network: Network) -> FloatArray:
    """Return, slots × engines, the log length of the silence that a slot is part of."""
    lengths: FloatArray = np.log1p(np.minimum(silence_runs(network), MAX_RUN))
    return lengths


def _spelling(network: Network, ids: IntArray) -> FloatArray:
    """Return each candidate's best likeness in spelling to a rival word, 0 for silence."""
    words = network.vocabulary
    known: dict[tuple[int, int], float] = {}
    result = np.zeros(ids.shape)
    for row, candidates in enumerate(ids.tolist()):
        spoken = [word for word in dict.fromkeys(candidates) if word > SILENT]
        if not spoken[1:]:
            continue
        best = dict.fromkeys(spoken, 0.0)
        for i, first in enumerate(spoken):
            for second in spoken[i + 1 :]:
                key = (first, second) if first < second else (second, first)
                ratio = known.get(key)
                if ratio is None:
                    ratio = Indel.normalized_similarity(words[first], words[second])
                    known[key] = ratio
                best[first] = max(best[first], ratio)
                best[second] = max(best[second], ratio)
        result[row] = [best.get(word, 0.0) for word in candidates]
    return result


def _lengths(network: Network) -> FloatArray:
    return np.log1p(np.array([len(word) for word in network.vocabulary], dtype=np.float64))
