"""Repairs times that cannot be: reversed, out of order, outside the audio."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from aggregation.heard import BoolArray, FloatArray

#: Seconds by which an engine may overrun the audio's end before that counts as an error.
END_TOLERANCE_SECONDS = 0.5


def repair_times(
    start: FloatArray, stop: FloatArray, limit: float, what: str
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Return times that can be, with a note for each kind of repair.

    Times outside the audio and starts out of order become unknown (the fewest that leave the
    rest in order: the longest non-decreasing subsequence stays); reversed pairs are swapped;
    an end after the next start is drawn back to it.

    Args:
        start: Seconds, NaN unknown.
        stop: Seconds, NaN unknown.
        limit: Length of the audio in seconds; 0 when it is not known.
        what: What the times belong to, for the notes.
    """
    notes: list[str] = []
    start, stop = start.copy(), stop.copy()
    if not np.isfinite(start).any() and not np.isfinite(stop).any():
        return start, stop, notes
    reversed_ = stop < start
    start[reversed_], stop[reversed_] = stop[reversed_], start[reversed_]
    outside: BoolArray = np.zeros(len(start), dtype=np.bool_)
    if limit > 0:
        outside = (start > limit) | (stop > limit + END_TOLERANCE_SECONDS)
        start[outside] = stop[outside] = np.nan
        np.minimum(stop, limit, out=stop)
    wild = ~_in_order(start)
    start[wild] = stop[wild] = np.nan
    overlaps = _draw_back(start, stop)
    for count, text in (
        (int(reversed_.sum()), "had its end before its start: swapped"),
        (int(outside.sum()), "lay outside the audio: times dropped"),
        (int(wild.sum()), "was out of order: times dropped"),
        (overlaps, "overlapped the next: its end was drawn back"),
    ):
        if count:
            notes.append(f"{count} × a {what} {text}")
    return start, stop, notes


def _in_order(start: FloatArray) -> BoolArray:
    """Mark the longest non-decreasing subsequence of the known starts, and all unknown ones."""
    keep: BoolArray = np.ones(len(start), dtype=np.bool_)
    known = np.flatnonzero(np.isfinite(start))
    values = start[known]
    if bool((np.diff(values) >= 0).all()):
        return keep
    tails: list[float] = []
    tail_at: list[int] = []
    before: list[int] = []
    for i, value in enumerate(values.tolist()):
        k = bisect_right(tails, value)
        before.append(tail_at[k - 1] if k else -1)
        if k == len(tails):
            tails.append(value)
            tail_at.append(i)
        else:
            tails[k], tail_at[k] = value, i
    keep[known] = False
    i = tail_at[-1]
    while i >= 0:
        keep[known[i]] = True
        i = before[i]
    return keep


def _draw_back(start: FloatArray, stop: FloatArray) -> int:
    known = np.flatnonzero(np.isfinite(start) & np.isfinite(stop))
    here, there = known[:-1], known[1:]
    late = stop[here] > start[there]
    stop[here[late]] = start[there[late]]
    return int(late.sum())
