"""Makes a recording's canonical file in one pass, with all that is found out on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.errors import BadMediaError
from engine_workers.media.canonical import FlacWriter
from engine_workers.media.child import MAX_APART
from engine_workers.media.decode import judged, pieces
from engine_workers.media.loudness import Loudness
from engine_workers.media.probe import probe
from engine_workers.media.speech import listener, speech_map
from schemas.audio import Prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from schemas.audio import MediaInfo, SpeechMap

#: Seconds of sound between two reports of how far it has come.
REPORT_SECONDS = 30.0
#: Said of a recording in which nobody speaks. Who sings, or is far away, may be missed: a lost
#: transcript is worse than an engine that listens for nothing.
NO_SPEECH = "no speech was found in it; the engines were asked all the same"


def make(
    source: Path,
    target: Path,
    max_seconds: float,
    probed: Callable[[MediaInfo], None],
    progress: Callable[[float], None],
    *,
    by_channel: bool = False,
) -> Prepared:
    """Decode `source` into a new file `target`, a piece of a second at a time in memory.

    Args:
        source: the recording.
        target: where the canonical file is written.
        max_seconds: the longest recording that is decoded.
        probed: told what the recording is, before a sample is decoded.
        progress: told now and then how many seconds are done.
        by_channel: write the channels one after another, rather than mixed.

    Raises:
        BadMediaError: it is no recording, holds no sound, is longer than `max_seconds`, or has
            more channels than are heard apart.
        StorageError: the file cannot be read.
    """
    info = probe(source, max_seconds)
    channels = _channels(info, by_channel=by_channel)
    probed(_as_long_as(info, len(channels)))
    writer, loudness, heard = FlacWriter(target), Loudness(), listener()
    notes: list[str] = []
    ends: list[int] = []
    done, told = 0, 0.0
    for channel in channels:
        said = [] if ends else notes  # it would be said of each
        for piece in _gathered(pieces(source, max_seconds, said, channel)):
            for taker in (writer, loudness, heard):
                taker.add(piece)
            done += len(piece)
            if done / SAMPLE_RATE - told >= REPORT_SECONDS:
                told = done / SAMPLE_RATE
                progress(told)
        ends.append(done)
    writer.close()
    _flush(target)
    whole, notes_told = judged(info, _each(ends) / SAMPLE_RATE, notes)
    whole = _as_long_as(whole, len(channels))
    speech = speech_map(heard, whole.seconds)
    return Prepared(
        info=whole,
        speech=speech,
        loudness=loudness.integrated(),
        notes=(*notes_told, *_remarks(speech)),
    )


def _channels(info: MediaInfo, *, by_channel: bool) -> list[int | None]:
    """Return which channels are decoded, one after another; None stands for all, mixed."""
    if not by_channel:
        return [None]
    if info.channels > MAX_APART:
        message = f"it has {info.channels} channels; {MAX_APART} at most are heard apart"
        raise BadMediaError(message)
    return list(range(info.channels))


def _as_long_as(info: MediaInfo, times: int) -> MediaInfo:
    return info.model_copy(update={"seconds": info.seconds * times})


def _each(ends: list[int]) -> int:
    """Return how many samples each channel has; a decoder gives the same of each."""
    each = ends[0]
    if ends != [each * number for number in range(1, len(ends) + 1)]:
        message = "its channels are not equally long"
        raise BadMediaError(message)
    return each


def _gathered(pieces: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Join a decoder's pieces, of a hundredth of a second some, to such of a second."""
    held: list[NDArray[np.float32]] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= SAMPLE_RATE:
            yield np.concatenate(held)
            held, size = [], 0
    if held:
        yield np.concatenate(held)


def _remarks(speech: SpeechMap) -> tuple[str, ...]:
    """Say what people should know of the speech map."""
    remarks = []
    if speech.found_by == "energy":
        remarks.append(
            "loud was taken for speech: the Silero model comes with faster-whisper, "
            "which is not installed where this recording was prepared"
        )
    if not speech.spans:
        remarks.append(NO_SPEECH)
    return tuple(remarks)


def _flush(path: Path) -> None:
    """Have the file on the disk before anybody is told of it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
