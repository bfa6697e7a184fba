"""What one engine heard in one recording."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Contract

#: Seconds from the beginning of the recording.
Seconds = Annotated[float, Field(ge=0)]
#: A probability as the engine states it. Never compare two engines' raw values.
Probability = Annotated[float, Field(ge=0, le=1)]


class Word(Contract):
    """One word as the engine wrote it."""

    text: str
    start: Seconds | None = None
    end: Seconds | None = None
    confidence: Probability | None = None


class Segment(Contract):
    """A stretch of speech; what the engine does not give is None, never invented."""

    text: str
    start: Seconds | None = None
    end: Seconds | None = None
    #: Empty where the engine gives no words of its own.
    words: tuple[Word, ...] = ()
    confidence: Probability | None = None
    language: str | None = None
    speaker: str | None = None
    #: Mean log-probability of the segment's tokens (Whisper family).
    avg_logprob: float | None = None
    #: The engine's own probability that nobody speaks here (Whisper family).
    no_speech_prob: Probability | None = None
    #: Length of the text over its length when compressed (Whisper family).
    compression_ratio: float | None = None


class Transcript(Contract):
    """One engine's whole answer for one recording or one chunk of it."""

    engine: str
    engine_version: str
    #: The model's name, revision or folder name; never a path with private parts.
    model: str
    #: BCP-47 tag as given or detected; None when the engine cannot tell.
    language: str | None = None
    #: Length of the audio that was heard, in seconds.
    audio_seconds: Seconds
    segments: tuple[Segment, ...]
    #: Repairs made to the engine's raw output before it was stored, in words.
    repairs: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The segments' texts joined by one space."""
        return " ".join(text for segment in self.segments if (text := segment.text.strip()))
