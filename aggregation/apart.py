"""Puts what was heard in each channel of a recording back onto one clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from schemas.report import Difference, Finding, MergedSegment, MergedWord, Report

#: Seconds by which a moment may be rounded.
ROUNDED = 0.001

Placed = TypeVar("Placed", Difference, Finding)


@dataclass(frozen=True, slots=True)
class Apart:
    """How the channels lie in what the engines heard: one after another, equally long."""

    channels: int
    #: Seconds of one channel.
    seconds: float

    def of(self, at: float | None, before: int = 0) -> int:
        """Return the channel, from 0, of a moment; `before` where it is not known."""
        if at is None:
            return before
        return min(int((at + ROUNDED) / self.seconds), self.channels - 1)

    def local(self, at: float | None, channel: int) -> float | None:
        """Return a moment on the recording's own clock."""
        if at is None:
            return None
        return round(min(max(at - channel * self.seconds, 0.0), self.seconds), 3)


def speaker(channel: int) -> str:
    """Return what who speaks in a channel, from 0, is called."""
    return f"channel {channel + 1}"


class _Piece(NamedTuple):
    """A segment of one channel, with the numbers of its words in the report."""

    segment: MergedSegment
    words: tuple[int, ...]
    #: Where it stands among the others, in seconds.
    begin: float


def put_together(report: Report, apart: Apart) -> Report:
    """Return the report of a recording whose channels were heard one after another.

    Each segment, difference and finding tells its channel; all are in the order in which they
    were spoken, so that who interrupts stands where that happened.
    """
    pieces = sorted(_pieces(report.merged.segments, apart), key=lambda piece: piece.begin)
    moved = {old: new for new, old in enumerate(word for piece in pieces for word in piece.words)}
    differences = sorted(
        (
            _placed(one, apart).model_copy(update={"position": moved.get(one.position, 0)})
            for one in report.comparison.differences
        ),
        key=lambda one: one.position,
    )
    segments = tuple(piece.segment for piece in pieces)
    return report.model_copy(
        update={
            "audio_seconds": apart.seconds,
            "merged": report.merged.model_copy(update={"segments": segments}),
            "comparison": report.comparison.model_copy(update={"differences": tuple(differences)}),
            "findings": tuple(_placed(one, apart) for one in report.findings),
        }
    )


def _pieces(segments: tuple[MergedSegment, ...], apart: Apart) -> Iterator[_Piece]:
    """Yield the segments with their channels, one that reaches into the next channel in two."""
    number, channel, begins = 0, 0, [0.0] * apart.channels
    for segment in segments:
        channel = apart.of(segment.start, channel)
        groups: list[tuple[int, list[MergedWord]]] = []
        for word in segment.words:
            channel = max(channel, apart.of(word.start, channel))
            if not groups or groups[-1][0] != channel:
                groups.append((channel, []))
            groups[-1][1].append(word)
        texts = _texts(segment, [len(words) for _, words in groups])
        for (of, words), text in zip(groups or [(channel, [])], texts, strict=True):
            numbers = tuple(range(number, number + len(words)))
            number += len(words)
            whole = len(groups) <= 1
            times = (segment.start, segment.end) if whole else (words[0].start, words[-1].end)
            made = _segment(text, times, words, of, apart)
            if made.start is not None:
                begins[of] = made.start
            yield _Piece(made, numbers, begins[of])


def _segment(
    text: str,
    times: tuple[float | None, float | None],
    words: list[MergedWord],
    channel: int,
    apart: Apart,
) -> MergedSegment:
    return MergedSegment(
        text=text,
        start=apart.local(times[0], channel),
        end=apart.local(times[1], channel),
        words=tuple(
            word.model_copy(
                update={
                    "start": apart.local(word.start, channel),
                    "end": apart.local(word.end, channel),
                }
            )
            for word in words
        ),
        speaker=speaker(channel),
    )


def _texts(segment: MergedSegment, counts: list[int]) -> list[str]:
    """Cut a segment's text after so many words each; its words stand in it in their order."""
    if len(counts) <= 1:
        return [segment.text]
    texts, at, begin = [], 0, 0
    words = iter(segment.words)
    for count in counts[:-1]:
        for _ in range(count):
            word = next(words).text
            at = segment.text.index(word, at) + len(word)
        texts.append(segment.text[begin:at].strip())
        begin = at
    return [*texts, segment.text[begin:].strip()]


def _placed(one: Placed, apart: Apart) -> Placed:
    channel = apart.of(one.start)
    return one.model_copy(
        update={
            "start": apart.local(one.start, channel),
            "end": apart.local(one.end, channel),
            "speaker": None if one.start is None else speaker(channel),
        }
    )
