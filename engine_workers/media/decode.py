"""Turns a recording into the samples that engines hear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from av.audio.resampler import AudioResampler

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.errors import BadMediaError
from engine_workers.media.container import DECODE_ERRORS, best_stream, open_media, reason
from engine_workers.media.probe import probe, too_long

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer
    from numpy.typing import NDArray

    from schemas.audio import MediaInfo

#: Seconds that must have been decoded before a broken file counts as cut short, not as broken.
USEFUL_SECONDS = 0.1
#: Seconds that may be missing at the end, and the share of the length, before it is told.
MISSING_SECONDS, MISSING_SHARE = 1.0, 0.02
#: The most that a sample may stand out; beyond it the numbers mean something else.
LOUDEST = 100.0


@dataclass(frozen=True)
class Decoded:
    """A recording as mono samples at 16,000 hertz, and what had to be put up with."""

    samples: NDArray[np.float32]
    info: MediaInfo
    #: In words: where the file ended early, for instance.
    notes: tuple[str, ...]


def decode(path: Path, max_seconds: float) -> Decoded:
    """Decode the best audio stream of the file at `path`, mixed to one channel.

    A file that breaks off is decoded as far as it goes, with a note; 0.1 s is enough.
    It needs 64 kB of memory a second of audio, and nothing besides.

    Raises:
        BadMediaError: it is no recording, holds no sound, or is longer than `max_seconds`.
        StorageError: the file cannot be read.
    """
    info = probe(path, max_seconds)
    notes: list[str] = []
    buffer = bytearray()  # grows in place, unlike an array
    limit = int(max_seconds * SAMPLE_RATE) * 4
    for chunk in _chunks(path, notes):
        buffer += chunk.tobytes()
        if len(buffer) > limit:
            raise too_long(max_seconds)
    samples = np.frombuffer(buffer, dtype=np.float32)
    seconds = len(samples) / SAMPLE_RATE
    if seconds < USEFUL_SECONDS:
        why = notes[0] if notes else f"it lasts {seconds:.3f} s"
        message = f"there is no sound in it that can be decoded: {why}"
        raise BadMediaError(message)
    if not notes and info.seconds - seconds > max(MISSING_SECONDS, MISSING_SHARE * info.seconds):
        notes.append(f"of {info.seconds:.1f} s only {seconds:.1f} s could be decoded")
    return Decoded(samples, info.model_copy(update={"seconds": seconds}), tuple(notes))


def _chunks(path: Path, notes: list[str]) -> Iterator[NDArray[np.float32]]:
    """Yield samples as they are decoded; end early, with a note, where the file is broken."""
    done = 0
    with open_media(path) as container:
        try:
            for frame in _mono(_frames(container, notes)):
                chunk = _checked(frame)
                done += len(chunk)
                yield chunk
        except DECODE_ERRORS as error:
            notes.append(f"decoding ended after {done / SAMPLE_RATE:.1f} s: {reason(error)}")


def _frames(container: InputContainer, notes: list[str]) -> Iterator[AudioFrame]:
    """Decode packet by packet, leaving out those that are broken."""
    broken, why = 0, ""
    for packet in container.demux(best_stream(container)):
        try:
            frames = packet.decode()
        except DECODE_ERRORS as error:
            broken, why = broken + 1, reason(error)
            continue
        yield from frames
    if broken:
        notes.append(f"{broken} packets could not be decoded: {why}")


def _mono(frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
    """Resample, also where rate or layout change in the middle, as in joined recordings."""
    resampler: AudioResampler | None = None
    shape: object = None
    for frame in frames:
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != shape:
            if resampler is not None:
                yield from resampler.resample(None)
            resampler, shape = AudioResampler("flt", "mono", SAMPLE_RATE), found
        frame.pts = None  # gaps between time stamps are no gaps in the sound
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)


def _checked(frame: AudioFrame) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = frame.to_ndarray()[0]
    if not np.isfinite(samples).all() or np.abs(samples).max(initial=0.0) > LOUDEST:
        message = "its samples are no sound: some are not numbers, or absurdly large"
        raise BadMediaError(message)
    return samples.clip(-1.0, 1.0, out=samples)
