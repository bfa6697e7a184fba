"""The one form in which engines read a recording: 16 kHz mono FLAC, whole or in part."""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.stream import AudioStream

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.errors import StorageError
from engine_workers.media.container import DECODE_ERRORS, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from numpy.typing import NDArray

    from schemas.audio import Span

#: The loudest 16-bit sample.
FULL_SCALE = 32_767


class FlacWriter:
    """Writes samples as they come."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._output = av.open(str(path), "w", format="flac")
        self._stream = self._output.add_stream("flac", rate=SAMPLE_RATE)
        self._stream.layout = "mono"
        self._stream.format = "s16"
        self._stream.codec_context.open()
        self._size = self._stream.codec_context.frame_size or 4096
        self._rest = np.zeros(0, np.int16)
        self._at = 0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Write more samples between -1 and 1."""
        whole = np.concatenate([self._rest, np.rint(samples * FULL_SCALE).astype(np.int16)])
        for start in range(0, len(whole) - self._size + 1, self._size):
            self._write(whole[start : start + self._size])
        self._rest = whole[len(whole) // self._size * self._size :]

    def close(self) -> None:
        """Write what is left, with the file's end."""
        if len(self._rest):
            self._write(self._rest)
        self._output.mux(self._stream.encode(None))
        self._output.close()

    def _write(self, samples: NDArray[np.int16]) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, self._at
        frame.time_base = Fraction(1, SAMPLE_RATE)
        self._at += len(samples)
        self._output.mux(self._stream.encode(frame))


def read(
    path: Path, span: Span | None = None, reached: Callable[[], None] | None = None
) -> NDArray[np.float32]:
    """Return the samples of a canonical file, or of one part of it; no more is held in memory.

    Args:
        path: the file.
        span: which part; None: all of it.
        reached: called at each frame, so that whoever waits knows of life.

    Raises:
        StorageError: it cannot be read, or is no such file.
    """
    first = round(span.start * SAMPLE_RATE) if span else 0
    last = round(span.end * SAMPLE_RATE) if span else None
    found, count = np.zeros(0, np.float32), 0
    try:
        with _opened(path) as container:
            found = np.empty(_samples_in(container, first, last), np.float32)
            for at, samples in _from(container, first):
                if last is not None and at >= last:
                    break
                part = samples[max(0, first - at) : None if last is None else last - at]
                room = found[count : count + len(part)]
                np.multiply(part[: len(room)], np.float32(1 / FULL_SCALE), out=room)
                count += len(room)
                if reached is not None:
                    reached()
    except (*DECODE_ERRORS, OSError) as error:
        message = f"the prepared recording cannot be read: {reason(error)}"
        raise StorageError(message) from error
    if not count:
        message = "the prepared recording cannot be read: there is no sound in it"
        raise StorageError(message)
    return found[:count]


def _samples_in(container: InputContainer, first: int, last: int | None) -> int:
    """Return how many samples there are from the first to the last that are wanted."""
    stream = container.streams.audio[0]
    if not stream.duration or not stream.time_base:
        message = "the prepared recording cannot be read: it does not say how long it is"
        raise StorageError(message)
    there = round(stream.duration * stream.time_base * SAMPLE_RATE)
    return max(0, min(there, last or there) - first)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """Open it, and nothing that it may name."""
    with (
        path.open("rb") as file,
        av.open(file, mode="r", format="flac", options={"protocol_whitelist": "none"}) as found,
    ):
        yield found


def _from(container: InputContainer, first: int) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """Yield frames with the number of their first sample, from one at or before `first` on."""
    stream = container.streams.audio[0]
    assert isinstance(stream, AudioStream)  # noqa: S101  # for the type checker
    samples_each = (stream.time_base or Fraction(1, SAMPLE_RATE)) * SAMPLE_RATE
    if first:
        container.seek(int(first / samples_each), stream=stream)
    ticks = samples_each.numerator / samples_each.denominator  # fractions are slow, frames many
    for frame in container.decode(stream):
        at = round((frame.pts or 0) * ticks)
        samples: NDArray[np.int16] = np.frombuffer(
            memoryview(frame.planes[0]), np.int16, frame.samples
        )
        if at + len(samples) > first:
            yield at, samples
