"""The evidence for each candidate of each disputed slot, as numbers for the learned vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Indel

from aggregation.align.abstain import silence_runs
from aggregation.align.network import ABSTAINS, SILENT, Network
from aggregation.heard import BoolArray, FloatArray, IntArray

#: Slots on each side that count as near.
NEAR = 2
#: The longest silence, in slots, that is told from longer ones.
MAX_RUN = 10

#: Slots of a recording that is half brief.
BRIEF_SLOTS = 100

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
    "near",  # how many agree with the supporters in the slots around
    "spelling",  # the best likeness to a rival's spelling
    "length",  # log of the word's characters
    "repeat",  # equals the word chosen before or after
    "silence_run",  # log length of the supporters' silence around: they missed, not denied
    "brief_silence",  # three again, as far as the recording is brief: it has no words of its own
    "brief_near",
    "brief_length",
)

#: Where the features of trust are.
TRUST_SHARE, SILENCE_TRUST = NAMES.index("trust_share"), NAMES.index("silence_trust")


@dataclass(frozen=True, slots=True)
class Features:
    """Candidates of the disputed slots.

    Attributes:
        slots: Indices of the disputed slots.
        ids: Disputed slots × engines: the candidates, one a column (equal words repeat).
        same: Disputed slots × engines × engines: who has a say and supports that candidate.
        values: Disputed slots × engines × features; those of trust are left at zero.
    """

    slots: IntArray
    ids: IntArray
    same: BoolArray
    values: FloatArray


def disputed(network: Network) -> IntArray:
    """Return the slots where engines with a say differ."""
    ids = network.ids
    top = ids.max(axis=1, keepdims=True)
    return np.flatnonzero(((ids != top) & (ids != ABSTAINS)).any(axis=1))


def majority(network: Network) -> IntArray:
    """Return each slot's plain winner: most supporters, then the earlier column."""
    ids = network.ids
    votes = np.zeros(ids.shape)
    for column in range(ids.shape[1]):
        votes += ids == ids[:, column : column + 1]
    votes[ids == ABSTAINS] = -1
    winner: IntArray = np.take_along_axis(ids, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.maximum(winner, SILENT)


def features(network: Network, sureness: FloatArray) -> Features:
    """Compute every candidate's evidence but the trust in its supporters.

    Args:
        network: The aligned engines.
        sureness: Slots × engines: calibrated log-odds above the engine's mean, 0 unknown.
    """
    slots = disputed(network)
    ids = network.ids[slots]
    voice = ids != ABSTAINS
    winner = majority(network)
    same = (ids[:, :, None] == ids[:, None, :]) & voice[:, None, :] & voice[:, :, None]
    backers = np.maximum(same.sum(axis=2), 1)
    count_share = backers / np.maximum(voice.sum(axis=1, keepdims=True), 1)
    silent = ids == SILENT
    nothing = np.zeros(ids.shape)
    around = _own_neighbours(network, slots)
    near = _mean(_agreement(network, slots), same, backers)
    length = _lengths(network)[np.maximum(ids, 0)]
    brief = BRIEF_SLOTS / (BRIEF_SLOTS + len(network))
    columns = [
        nothing,
        count_share,
        backers == backers.max(axis=1, keepdims=True),
        silent,
        nothing,
        silent * count_share,
        _mean(sureness[slots], same, backers) * ~silent,
        _elsewhere(network, winner, ids),
        *(_mean(pair, same, backers) for pair in _pairs(network, ids, around, backers)),
        near,
        _spelling(network, ids),
        length,
        _mean((ids == around[0]) | (ids == around[1]), same, backers) * ~silent,
        _mean(_silences(network)[slots], same, backers) * silent,
        brief * silent,
        brief * near,
        brief * length,
    ]
    values = np.stack(columns, axis=2).astype(np.float64)
    return Features(slots, ids, same, values)


def trust_share(found: Features, log_odds: FloatArray) -> FloatArray:
    """Return, disputed slots × engines, the supporters' share of the log-odds with a say."""
    voice = found.ids != ABSTAINS
    everything = np.maximum((voice * log_odds).sum(axis=1, keepdims=True), 1e-6)
    share: FloatArray = (found.same @ log_odds) / everything
    return share


def with_trust(found: Features, log_odds: FloatArray) -> FloatArray:
    """Return the features' values with the supporters' share of trust filled in.

    Args:
        found: The features.
        log_odds: Per engine, the weight of its say.
    """
    share = trust_share(found, log_odds)
    values = found.values.copy()
    values[:, :, TRUST_SHARE] = share
    values[:, :, SILENCE_TRUST] = share * (found.ids == SILENT)
    return values


def _mean(values: FloatArray, same: BoolArray, backers: IntArray) -> FloatArray:
    """Average a per-engine value over each candidate's supporters."""
    mean: FloatArray = np.einsum("sn,scn->sc", values, same) / backers
    return mean


def _own_neighbours(network: Network, slots: IntArray) -> tuple[IntArray, IntArray]:
    """Return, slots × engines, the engine's own words before and after each slot."""
    shape = (len(slots), len(network.words))
    before = np.zeros(shape, dtype=np.int64)
    after = np.zeros(shape, dtype=np.int64)
    for column, words in enumerate(network.words):
        spoken = network.index[:, column] >= 0
        earlier: IntArray = (np.cumsum(spoken) - spoken)[slots]
        padded = np.concatenate([[SILENT], words, [SILENT, SILENT]])
        before[:, column] = padded[earlier]
        after[:, column] = padded[earlier + 1 + spoken[slots]]
    return before, after


def _elsewhere(network: Network, winner: IntArray, ids: IntArray) -> FloatArray:
    """Count each word in the slots where more than half of the engines say it."""
    agreed = (network.ids == winner[:, None]).sum(axis=1) * 2 > network.ids.shape[1]
    counts = np.bincount(winner[agreed], minlength=len(network.vocabulary)).astype(np.float64)
    counts[SILENT] = 0
    result: FloatArray = np.log1p(counts)[np.maximum(ids, 0)]
    return result


def _pairs(
    network: Network, ids: IntArray, around: tuple[IntArray, IntArray], backers: IntArray
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

    before, after = around
    spoken = ids > SILENT
    return (
        count(before, ids, spoken & (before > SILENT)),
        count(ids, after, spoken & (after > SILENT)),
        count(before, after, (ids == SILENT) & (before > SILENT) & (after > SILENT)),
    )


def _agreement(network: Network, slots: IntArray) -> FloatArray:
    """Return the mean share of others who agree with each engine near a slot, it left out."""
    ids = network.ids
    others = sum((ids == ids[:, k : k + 1]).astype(np.float64) for k in range(ids.shape[1])) - 1
    right = others / max(ids.shape[1] - 1, 1)
    total = np.concatenate([np.zeros((1, right.shape[1])), np.cumsum(right, axis=0)])
    low = np.maximum(slots - NEAR, 0)
    high = np.minimum(slots + NEAR + 1, len(ids))
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
