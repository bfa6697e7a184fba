"""Decides where a long recording is cut, so that several workers can hear it side by side."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from schemas.audio import ChunkPlan, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.settings import MediaSettings

#: How far from where it should be a cut may lie, as a share of a chunk's length.
REACH = 0.25
#: The least silence, in seconds, that a recording is cut in.
LEAST_SILENCE = 0.2
#: A second of silence is worth a cut that lies so many seconds farther off, up to the second
#: figure of silence: long silences are ends of sentences, longer ones tell no more.
SECONDS_FOR_SILENCE, MOST_SILENCE = 10.0, 1.0


def plan(
    seconds: float,
    speech: Sequence[tuple[float, float]],
    rules: MediaSettings,
    stretches: int = 1,
) -> ChunkPlan:
    """Cut a recording into chunks of about equal length, each `chunk_seconds` at most or so.

    Each cut lies in the silence that suits best near its place. Where somebody speaks all the
    time around it, the two chunks share a few seconds instead, which stitching resolves.

    Args:
        seconds: the recording's length.
        speech: where somebody speaks, in order.
        rules: how long chunks are, and how long an overlap is.
        stretches: of how many equally long parts with nothing in common it is: channels that are
            heard apart. No chunk has two of them.
    """
    if stretches == 1:
        return _plan(seconds, speech, rules)
    length = seconds / stretches
    chunks: list[Span] = []
    for number in range(stretches):
        begin = number * length
        found = [
            (max(start - begin, 0.0), min(end - begin, length))
            for start, end in speech
            if end > begin and start < begin + length
        ]
        part = _plan(length, found, rules).chunks
        chunks += [_span(begin + span.start, begin + span.end) for span in part]
    return ChunkPlan(chunks=tuple(chunks))


def _plan(seconds: float, speech: Sequence[tuple[float, float]], rules: MediaSettings) -> ChunkPlan:
    count = math.ceil(seconds / rules.chunk_seconds)
    if count <= 1:
        return ChunkPlan(chunks=(Span(seconds=max(seconds, 1e-3)),))
    length = seconds / count
    silences = _silences(speech, seconds)
    middles = [(start + end) / 2 for start, end in silences]
    chunks: list[Span] = []
    start = 0.0
    for number in range(1, count):
        wanted, reach = number * length, REACH * length
        first = bisect_left(middles, wanted - reach)
        last = bisect_left(middles, wanted + reach)
        cut = _best(silences[max(0, first - 1) : last + 1], wanted, reach)
        overlap = 0.0 if cut is not None else min(rules.overlap_seconds, reach)
        at = wanted if cut is None else cut
        chunks.append(_span(start, at + overlap / 2))
        start = at - overlap / 2
    chunks.append(_span(start, seconds))
    return ChunkPlan(chunks=tuple(chunks))


def _span(start: float, end: float) -> Span:
    return Span(start=round(start, 3), seconds=round(end - start, 3))


def _silences(speech: Sequence[tuple[float, float]], seconds: float) -> list[tuple[float, float]]:
    """Return where nobody speaks for long enough."""
    edges = [0.0, *(edge for span in speech for edge in span), seconds]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return [(start, end) for start, end in gaps if end - start >= LEAST_SILENCE]


def _best(silences: Sequence[tuple[float, float]], wanted: float, reach: float) -> float | None:
    """Return the best point within reach that lies in a silence; None without one."""
    found: list[tuple[float, float]] = []
    for start, end in silences:
        margin = min((end - start) / 2, MOST_SILENCE / 2)
        at = min(max(wanted, start + margin), end - margin)
        if abs(at - wanted) <= reach:
            worth = SECONDS_FOR_SILENCE * min(end - start, MOST_SILENCE)
            found.append((abs(at - wanted) - worth, at))
    return min(found)[1] if found else None
