"""Reads SubRip and WebVTT."""

from __future__ import annotations

import pysubs2

from aggregation.formats.parts import transcript_of
from schemas.transcript import Segment, Transcript

#: Milliseconds in a second.
MS = 1000


def from_subtitles(text: str, name: str) -> Transcript:
    """Return the lines with their times; styling is left out.

    Raises:
        ValueError: it is no subtitle file.
    """
    try:
        file = pysubs2.SSAFile.from_string(text)
    except (pysubs2.exceptions.Pysubs2Error, KeyError) as error:
        message = "it is no subtitle file"
        raise ValueError(message) from error
    segments = [
        Segment(
            text=" ".join(event.plaintext.split()),
            start=max(event.start, 0) / MS,
            end=max(event.end, 0) / MS,
        )
        for event in file
        if event.plaintext.strip()
    ]
    return transcript_of(name, segments)
