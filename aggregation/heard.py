"""One engine's whole answer as text with columns: the form that all later steps read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


#: The share from which something is said of most words.
MOST = 0.5


@dataclass(frozen=True, slots=True)
class Units:
    """Stretches of a text that carry a time or a confidence: an engine's words.

    Characters `begin[i]` up to `end[i]` of the text were spoken from `start[i]` to `stop[i]`
    seconds; NaN where the engine does not say.
    """

    begin: IntArray
    end: IntArray
    start: FloatArray
    stop: FloatArray
    confidence: FloatArray

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.begin)


@dataclass(frozen=True, slots=True)
class Heard:
    """What one engine heard in one recording, stitched of its chunks.

    Attributes:
        engine: The engine's name.
        text: Its exact text: the segments' texts joined by one space.
        words: Its own words; empty where it gives none.
        segments: Its segments, with their times; confidence is the segment's.
        no_speech: Per segment, the engine's probability that nobody speaks; NaN unknown.
        compression: Per segment, text length over compressed length; NaN unknown.
        languages: The languages its chunks claim, the longest first.
        audio_seconds: Length of the audio that it was given.
        repairs: What had to be repaired, in words.
    """

    engine: str
    text: str
    words: Units
    segments: Units
    no_speech: FloatArray
    compression: FloatArray
    languages: tuple[str, ...]
    audio_seconds: float
    repairs: tuple[str, ...]

    @property
    def has_word_times(self) -> bool:
        """Whether most of its words have times of their own."""
        return len(self.words) > 0 and float(np.isfinite(self.words.start).mean()) > MOST

    @property
    def has_confidences(self) -> bool:
        """Whether most of its words have confidences of their own."""
        return len(self.words) > 0 and float(np.isfinite(self.words.confidence).mean()) > MOST


def floats(values: list[float | None]) -> FloatArray:
    """Return `values` as an array with NaN for None."""
    return np.array(values, dtype=np.float64)
