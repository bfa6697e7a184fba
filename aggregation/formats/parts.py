"""Makes transcripts of what files say, with values that can be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from schemas.transcript import Segment, Transcript


def transcript_of(
    name: str, segments: Sequence[Segment], language: str | None = None
) -> Transcript:
    """Return a transcript of `segments`; the audio's length is the latest time."""
    times = [t for s in segments for t in (s.start, s.end, *(w.end for w in s.words)) if t]
    return Transcript(
        engine=name,
        engine_version="unknown",
        model="file",
        language=language,
        audio_seconds=max(times, default=0.0),
        segments=tuple(segments),
    )


def seconds(value: object, scale: float = 1.0) -> float | None:
    """Return a time in seconds; None where it is no number that a time can be."""
    return number(value, scale, 1e7)


def probability(value: object) -> float | None:
    """Return a probability; None where it is none."""
    return number(value, 1.0, 1.0)


def number(value: object, scale: float, highest: float) -> float | None:
    """Return `value` × `scale` if it is a number from 0 to `highest`, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return round(result, 6) if math.isfinite(result) and 0 <= result <= highest else None
