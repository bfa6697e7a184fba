"""Turns a recording into the samples that engines hear."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
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
    for piece in pieces(path, max_seconds, notes):
        buffer += piece.tobytes()
    samples = np.frombuffer(buffer, dtype=np.float32)
    whole, told = judged(info, len(samples) / SAMPLE_RATE, notes)
    return Decoded(samples, whole, told)


def pieces(
    path: Path, max_seconds: float, notes: list[str], channel: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield samples as they are decoded; end early, with a note, where the file is broken.

    Args:
        path: the recording.
        max_seconds: the most that is decoded.
        notes: what had to be put up with is added to it.
        channel: the channel to decode, from 0; None mixes them all.

    Raises:
        BadMediaError: it holds no sound, or is longer than `max_seconds`.
        StorageError: the file cannot be read.
        MemoryError: decoding takes more memory than this process may use.
    """
    done = 0
    with open_media(path) as container:
        try:
            for frame in _resampled(_frames(container, notes), mixed=channel is None):
                piece = _checked(frame, channel or 0)
                done += len(piece)
                if done > max_seconds * SAMPLE_RATE:
                    raise too_long(max_seconds)
                yield piece
        except DECODE_ERRORS as error:
            if getattr(error, "errno", None) == errno.ENOMEM:
                raise MemoryError from error
            notes.append(f"decoding ended after {done / SAMPLE_RATE:.1f} s: {reason(error)}")


def judged(
    info: MediaInfo, seconds: float, notes: Sequence[str]
) -> tuple[MediaInfo, tuple[str, ...]]:
    """Return what a recording is of which so many seconds were decoded, with all notes.

    Raises:
        BadMediaError: that is too little to be heard.
    """
    if seconds < USEFUL_SECONDS:
        why = notes[0] if notes else f"it lasts {seconds:.3f} s"
        message = f"there is no sound in it that can be decoded: {why}"
        raise BadMediaError(message)
    told = tuple(notes)
    if not notes and info.seconds - seconds > max(MISSING_SECONDS, MISSING_SHARE * info.seconds):
        told = (f"of {info.seconds:.1f} s only {seconds:.1f} s could be decoded",)
    return info.model_copy(update={"seconds": seconds}), told


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


def _resampled(frames: Iterator[AudioFrame], *, mixed: bool) -> Iterator[AudioFrame]:
    """Resample, also where rate or layout change in the middle, as in joined recordings."""
    form, layout = ("flt", "mono") if mixed else ("fltp", None)
    resampler: AudioResampler | None = None
    shape: object = None
    for frame in frames:
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != shape:
            if resampler is not None:
                yield from resampler.resample(None)
            resampler, shape = AudioResampler(form, layout, SAMPLE_RATE), found
        frame.pts = None  # gaps between time stamps are no gaps in the sound
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)


def _checked(frame: AudioFrame, channel: int) -> NDArray[np.float32]:
    planes = frame.to_ndarray()
    samples: NDArray[np.float32] = planes[min(channel, len(planes) - 1)]
    if not np.isfinite(samples).all() or np.abs(samples).max(initial=0.0) > LOUDEST:
        message = "its samples are no sound: some are not numbers, or absurdly large"
        raise BadMediaError(message)
    return samples.clip(-1.0, 1.0, out=samples)
