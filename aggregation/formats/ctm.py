"""Reads NIST's CTM: one word a line with its time."""

from __future__ import annotations

from aggregation.formats.parts import probability, seconds, transcript_of
from schemas.transcript import Segment, Transcript, Word

#: Fields of a line: file, channel, start, duration, word, and perhaps a confidence.
FIELDS = 5


def from_ctm(text: str, name: str) -> Transcript:
    """Return the words as one segment.

    Raises:
        ValueError: a line has another form; the message names it.
    """
    words: list[Word] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        start = seconds(fields[2]) if len(fields) >= FIELDS else None
        length = seconds(fields[3]) if len(fields) >= FIELDS else None
        if start is None or length is None:
            message = f"line {number} is not 'file channel start duration word'"
            raise ValueError(message)
        sure = probability(fields[FIELDS]) if len(fields) > FIELDS else None
        words.append(Word(text=fields[4], start=start, end=start + length, confidence=sure))
    joined = " ".join(word.text for word in words)
    return transcript_of(name, [Segment(text=joined, words=tuple(words))] if words else [])
