"""Turns an engine's stored transcripts into one text with columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aggregation.heard import Heard, Units, floats
from aggregation.stitch import Part, stitch
from aggregation.times import repair_times
from schemas.transcript import Segment, Transcript, Word

#: NUL, other controls except white space, lone surrogates.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")


def collect(parts: Sequence[Part]) -> Heard:
    """Stitch one engine's chunks, in the recording's order, into one text with columns.

    Args:
        parts: The chunks; their order does not matter.

    Raises:
        ValueError: there is no part, or they are of several engines.
    """
    engines = {part.transcript.engine for part in parts}
    if len(engines) != 1:
        message = f"one engine's chunks are needed, not those of {sorted(engines) or 'none'}"
        raise ValueError(message)
    whole, notes = stitch(sorted(parts, key=lambda part: part.offset_seconds))
    return _columns(whole, notes)


@dataclass(slots=True)
class _Column:
    """Rows of `Units` while they are gathered."""

    begin: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    start: list[float | None] = field(default_factory=list)
    stop: list[float | None] = field(default_factory=list)
    confidence: list[float | None] = field(default_factory=list)

    def add(self, begin: int, end: int, source: Word | Segment) -> None:
        self.begin.append(begin)
        self.end.append(end)
        self.start.append(source.start)
        self.stop.append(source.end)
        self.confidence.append(source.confidence)

    def units(self, limit: float, what: str) -> tuple[Units, list[str]]:
        start, stop, notes = repair_times(floats(self.start), floats(self.stop), limit, what)
        units = Units(
            np.array(self.begin, dtype=np.int64),
            np.array(self.end, dtype=np.int64),
            start,
            stop,
            floats(self.confidence),
        )
        return units, notes


def _columns(whole: Transcript, notes: list[str]) -> Heard:
    words, segments = _Column(), _Column()
    texts: list[str] = []
    kept: list[Segment] = []
    at = 0
    differ = 0
    for segment in whole.segments:
        text, places, same = _locate(segment)
        if not text:
            continue
        differ += not same
        for word, (begin, end) in zip(segment.words, places, strict=True):
            if end > begin:
                words.add(at + begin, at + end, word)
        segments.add(at, at + len(text), segment)
        texts.append(text)
        kept.append(segment)
        at += len(text) + 1
    if differ:
        notes.append(f"{differ} segments whose text and words differ: the words were taken")
    word_units, word_notes = words.units(whole.audio_seconds, "word")
    segment_units, segment_notes = segments.units(whole.audio_seconds, "segment")
    return Heard(
        engine=whole.engine,
        text=" ".join(texts),
        words=word_units,
        segments=segment_units,
        no_speech=floats([segment.no_speech_prob for segment in kept]),
        compression=floats([segment.compression_ratio for segment in kept]),
        languages=_languages(whole),
        audio_seconds=whole.audio_seconds,
        repairs=(*whole.repairs, *notes, *word_notes, *segment_notes),
    )


def clean(text: str) -> str:
    """Return `text` without characters that no database or terminal takes, edges stripped."""
    if text.isprintable():
        return text.strip()
    return _UNPRINTABLE.sub("", text).strip()


def _locate(segment: Segment) -> tuple[str, list[tuple[int, int]], bool]:
    """Find the segment's words in its text; where they do not fit, the words become the text."""
    text = clean(segment.text)
    if not segment.words:
        return text, [], True
    joined, places = _joined(segment.words)
    if joined == text:
        return text, places, True
    places = []
    at = 0
    for word in segment.words:
        piece = clean(word.text)
        found = text.find(piece, at)
        if found < 0 or any(map(str.isalnum, text[at:found])):
            return (*_joined(segment.words), not text)
        at = found + len(piece)
        places.append((found, at))
    if any(map(str.isalnum, text[at:])):
        return (*_joined(segment.words), False)
    return text, places, True


def _joined(words: Sequence[Word]) -> tuple[str, list[tuple[int, int]]]:
    places: list[tuple[int, int]] = []
    pieces: list[str] = []
    at = 0
    for word in words:
        piece = clean(word.text)
        if piece and pieces:
            at += 1
        places.append((at, at + len(piece)))
        if piece:
            pieces.append(piece)
        at += len(piece)
    return " ".join(pieces), places


def _languages(whole: Transcript) -> tuple[str, ...]:
    if whole.language:
        return (whole.language,)
    lengths: Counter[str] = Counter()
    for segment in whole.segments:
        if segment.language:
            lengths[segment.language] += len(segment.text)
    return tuple(language for language, _ in lengths.most_common())
