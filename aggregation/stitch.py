"""Joins an engine's chunks into one transcript on the recording's own clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aggregation.seam import resolve
from schemas.transcript import Segment, Transcript


@dataclass(frozen=True, slots=True)
class Part:
    """One chunk's transcript and where in the recording the chunk begins."""

    transcript: Transcript
    #: Seconds from the recording's beginning to the chunk's.
    offset_seconds: float = 0.0
    #: Whether it stands for a chunk that was not heard: it has no words.
    hole: bool = False


def hole(pattern: Transcript, start: float, seconds: float, why: str) -> Part:
    """Return what stands for a chunk that an engine did not hear, told among the repairs.

    Args:
        pattern: another of the engine's transcripts.
        start: seconds from the recording's beginning to the chunk's.
        seconds: the chunk's length.
        why: the reason.
    """
    note = f"not heard from {start:.1f} to {start + seconds:.1f} s: {why}"
    changes = {"segments": (), "audio_seconds": seconds, "language": None, "repairs": (note,)}
    return Part(pattern.model_copy(update=changes), start, hole=True)


def stitch(parts: Sequence[Part]) -> tuple[Transcript, list[str]]:
    """Join chunks, given in the recording's order; what two chunks both heard is kept once.

    Chunks that meet in a silence have nothing in common; an overlap is resolved by `seam`.

    Returns:
        The whole transcript, with notes on what was dropped at the seams.
    """
    first = parts[0]
    if len(parts) == 1 and first.offset_seconds == 0:
        return first.transcript, []
    notes: list[str] = []
    segments: list[Segment] = []
    end = heard_end = 0.0
    for part in parts:
        moved = [_moved(segment, part.offset_seconds) for segment in part.transcript.segments]
        if segments and moved and part.offset_seconds < heard_end:
            joined = resolve(segments, moved, part.offset_seconds, heard_end)
            segments, moved = joined.before, joined.after
            if joined.twice:
                at = f"{part.offset_seconds:.1f} s"
                notes.append(f"{joined.twice} words heard twice at {at}: kept once")
        segments.extend(moved)
        end = max(end, part.offset_seconds + part.transcript.audio_seconds)
        heard_end = heard_end if part.hole else end
    whole = first.transcript.model_copy(
        update={
            "segments": tuple(segments),
            "audio_seconds": end,
            "language": _language(parts),
            "repairs": tuple(note for part in parts for note in part.transcript.repairs),
        }
    )
    return whole, notes


def _language(parts: Sequence[Part]) -> str | None:
    """Return the language of more than half of what was heard; None where there is none."""
    lengths: Counter[str | None] = Counter()
    for part in parts:
        if not part.hole:
            lengths[part.transcript.language] += len(part.transcript.text) + 1
    language, most = lengths.most_common(1)[0] if lengths else (None, 0)
    return language if 2 * most > lengths.total() else None


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
