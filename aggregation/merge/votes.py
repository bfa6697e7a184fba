"""The votes that need no training: by frequency, by trust, by one engine, by all."""

from __future__ import annotations

import numpy as np

from aggregation.align.abstain import silence_runs
from aggregation.align.network import ABSTAINS, SILENT
from aggregation.heard import BoolArray, FloatArray, IntArray
from aggregation.merge.context import Choice, Context
from aggregation.trust import dependability

#: Share of the best engine's log-odds below which an engine has no part in a plain vote.
PEER_SHARE = 0.7
#: The shortest window of the choice by segments, in slots.
WINDOW_SLOTS = 8
#: Power of its length that a silence's vote is divided by: long silences are misses.
SILENCE_POWER = 0.8


def rover(context: Context) -> Choice:
    """Take what most peers with a say have; a tie goes to the most trusted (ROVER, frequency).

    Peers are the engines not far below the best: a plain vote of the weak would outvote it.
    """
    votes = np.where(_peers(context), 1.0, 1e-3)
    return Choice(_winner(context, votes), _zeros(context), ("majority",))


def weighted(context: Context) -> Choice:
    """Take what has the highest sum of log-odds, each moved by the word's calibrated confidence.

    Who is far below the best can lose by its confidence, not win: the weak are sure of errors.
    """
    sureness = np.where(_peers(context), context.sureness, np.minimum(context.sureness, 0.0))
    ids = _winner(context, np.maximum(context.trust.log_odds, 1e-3), sureness)
    return Choice(ids, _zeros(context), ("log odds",))


def best(context: Context) -> Choice:
    """Take all from the most trusted engine, even where it has no say."""
    network = context.network
    leader = _leader(context)
    return Choice(said(context)[:, leader], _zeros(context), (f"only {network.engines[leader]}",))


def fill_gaps(context: Context) -> Choice:
    """Take all from the most trusted engine, and others' words where it misses a stretch."""
    network = context.network
    leader = _leader(context)
    own = said(context)[:, leader]
    gap = network.ids[:, leader] == ABSTAINS
    ids = np.where(gap, _winner(context, np.maximum(context.trust.log_odds, 1e-3)), own)
    return Choice(ids, gap.astype(np.int64), (f"only {network.engines[leader]}", "gap filled"))


def union(context: Context) -> Choice:
    """Take a word wherever any engine with a say has one: nothing that was said is lost."""
    ids = context.network.ids
    weight = np.maximum(context.trust.log_odds, 1e-3)
    support = np.zeros(ids.shape)
    for column in range(ids.shape[1]):
        support += (ids == ids[:, column : column + 1]) * weight[column]
    support[ids <= SILENT] = -1
    chosen = np.take_along_axis(ids, support.argmax(axis=1)[:, None], axis=1)[:, 0]
    return Choice(np.maximum(chosen, SILENT), _zeros(context), ("anyone's word",))


def said(context: Context) -> IntArray:
    """Return, slots × engines, the word each engine wrote, vetoed or not."""
    network = context.network
    ids = np.zeros(network.index.shape, dtype=np.int64)
    for column, words in enumerate(network.words):
        here = network.index[:, column]
        if len(words):
            ids[:, column] = np.where(here >= 0, words[here], SILENT)
    return ids


def _winner(context: Context, weight: FloatArray, sureness: FloatArray | None = None) -> IntArray:
    """Return each slot's best-supported candidate; ties go to the most trusted engine."""
    ids = context.network.ids
    order = _by_trust(context)
    ids = ids[:, order]
    votes: FloatArray = np.broadcast_to(weight[order], ids.shape)
    votes = votes / np.maximum(silence_runs(context.network)[:, order], 1) ** SILENCE_POWER
    if sureness is not None:
        votes = np.maximum(votes + sureness[:, order], 1e-3)
    support = np.zeros(ids.shape)
    for column in range(ids.shape[1]):
        support += (ids == ids[:, column : column + 1]) * votes[:, column : column + 1]
    support = np.round(support, 9)
    support[ids == ABSTAINS] = -1
    chosen = np.take_along_axis(ids, support.argmax(axis=1)[:, None], axis=1)[:, 0]
    result: IntArray = np.maximum(chosen, SILENT)
    return result


def segment(context: Context) -> Choice:
    """Take whole windows, each from the engine nearest to all others there (minimum Bayes risk).

    Windows end where all engines agree, so that no word is cut; an engine's risk is its trusted
    rivals' disagreement with it, slot by slot.
    """
    network = context.network
    weight = np.maximum(context.trust.log_odds, 1e-3)
    ids = network.ids
    gain = np.zeros(ids.shape)
    votes = weight / np.maximum(silence_runs(network), 1) ** SILENCE_POWER
    for k in range(ids.shape[1]):
        gain += (ids == ids[:, k : k + 1]) * votes[:, k : k + 1]
    gain[ids == ABSTAINS] = 0
    starts = _window_starts(context)
    totals = np.add.reduceat(gain, starts, axis=0) if len(starts) else gain
    order = _by_trust(context)
    nearest = np.argmax(np.round(totals[:, order], 9), axis=1)
    column = np.repeat(order[nearest], np.diff(np.append(starts, len(ids))))
    chosen = np.take_along_axis(said(context), column[:, None], axis=1)[:, 0]
    return Choice(chosen, _zeros(context), ("nearest to all in its window",))


def _window_starts(context: Context) -> IntArray:
    """Return the first slots of windows of at least `WINDOW_SLOTS`, cut where all agree."""
    ids = context.network.ids
    agreed = np.flatnonzero((ids == ids[:, :1]).all(axis=1))
    starts = [0] if len(ids) else []
    for slot in agreed.tolist():
        if slot - starts[-1] >= WINDOW_SLOTS:
            starts.append(slot)
    return np.array(starts, dtype=np.int64)


def _peers(context: Context) -> BoolArray:
    """Mark the engines that are not far below the best."""
    weight = context.trust.log_odds
    result: BoolArray = weight >= PEER_SHARE * weight.max()
    return result


def _leader(context: Context) -> int:
    return int(np.argmax(np.round(dependability(context.network, context.trust), 9)))


def _by_trust(context: Context) -> IntArray:
    order: IntArray = np.argsort(-context.trust.accuracy, kind="stable")
    return order


def _zeros(context: Context) -> IntArray:
    return np.zeros(len(context.network), dtype=np.int64)
