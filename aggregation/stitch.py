"""Joins an engine's chunks into one transcript on the recording's own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.transcript import Segment, Transcript, Word

#: The longest overlap, in words, that is looked for in chunks without times.
MAX_OVERLAP_WORDS = 60


@dataclass(frozen=True, slots=True)
class Part:
    """One chunk's transcript and where in the recording the chunk begins."""

    transcript: Transcript
    #: Seconds from the recording's beginning to the chunk's.
    offset_seconds: float = 0.0


def stitch(parts: Sequence[Part]) -> tuple[Transcript, list[str]]:
    """Join chunks, given in the recording's order; what two chunks both heard is kept once.

    In an overlap with times each side keeps what lies on its side of the middle; without times
    the longest run of equal words at the seam is dropped from the later chunk.

    Returns:
        The whole transcript, with notes on what was dropped at the seams.
    """
    first = parts[0]
    if len(parts) == 1 and first.offset_seconds == 0:
        return first.transcript, []
    notes: list[str] = []
    segments: list[Segment] = []
    end = 0.0
    for part in parts:
        moved = [_moved(segment, part.offset_seconds) for segment in part.transcript.segments]
        if segments and part.offset_seconds < end:
            seam = (part.offset_seconds + end) / 2
            segments = [kept for s in segments if (kept := _cut(s, seam, before=True))]
            moved = [kept for s in moved if (kept := _cut(s, seam, before=False))]
        if segments and moved:
            dropped = _drop_repeat(segments, moved)
            if dropped:
                at = f"{part.offset_seconds:.1f} s"
                notes.append(f"{dropped} words heard twice at {at}: kept once")
        segments.extend(moved)
        end = max(end, part.offset_seconds + part.transcript.audio_seconds)
    languages = {part.transcript.language for part in parts}
    whole = first.transcript.model_copy(
        update={
            "segments": tuple(segments),
            "audio_seconds": end,
            "language": languages.pop() if len(languages) == 1 else None,
            "repairs": tuple(note for part in parts for note in part.transcript.repairs),
        }
    )
    return whole, notes


def _later(seconds: float | None, offset: float) -> float | None:
    return None if seconds is None else seconds + offset


def _moved(segment: Segment, offset: float) -> Segment:
    if offset == 0:
        return segment
    words = tuple(
        word.model_copy(
            update={"start": _later(word.start, offset), "end": _later(word.end, offset)}
        )
        for word in segment.words
    )
    return segment.model_copy(
        update={
            "start": _later(segment.start, offset),
            "end": _later(segment.end, offset),
            "words": words,
        }
    )


def _middle(piece: Segment | Word) -> float | None:
    if piece.start is None or piece.end is None:
        return None
    return (piece.start + piece.end) / 2


def _cut(segment: Segment, seam: float, *, before: bool) -> Segment | None:
    """Return the part of `segment` on one side of `seam`; None when nothing is left."""
    timed = segment.words and all(_middle(word) is not None for word in segment.words)
    if not timed:
        middle = _middle(segment)
        return segment if middle is None or (middle < seam) == before else None
    words = tuple(word for word in segment.words if ((_middle(word) or 0.0) < seam) == before)
    if len(words) == len(segment.words):
        return segment
    if not words:
        return None
    text = " ".join(word.text.strip() for word in words)
    ends = {"start": words[0].start, "end": words[-1].end}
    return segment.model_copy(update={"text": text, "words": words, **ends})


def _drop_repeat(segments: list[Segment], moved: list[Segment]) -> int:
    """Drop from `moved[0]`, where nothing has times, the words that end `segments`."""
    last, following = segments[-1], moved[0]
    if following.start is not None or last.end is not None or following.words:
        return 0
    tail, head = last.text.lower().split(), following.text.lower().split()
    longest = min(len(tail), len(head), MAX_OVERLAP_WORDS)
    for size in range(longest, 1, -1):
        if tail[-size:] == head[:size]:
            text = " ".join(following.text.split()[size:])
            moved[0] = following.model_copy(update={"text": text})
            return size
    return 0
