"""Decides, before a sample is decoded, whether a recording may be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine_workers.errors import BadMediaError
from engine_workers.media.container import DECODE_ERRORS, best_stream, open_media
from schemas.audio import MediaInfo

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

#: Sample rates in hertz and channels that are believed.
RATES = range(2_000, 768_001)
CHANNELS = range(1, 65)


def probe(path: Path, max_seconds: float) -> MediaInfo:
    """Return what the recording at `path` is; its length is that of its packets.

    The packets are counted rather than the header believed: a header may leave the length out,
    state another one to get by, or be that of a live stream (a WAV of 0xFFFFFFFF bytes).

    Raises:
        BadMediaError: it cannot be decoded, has no sound, states absurd figures, or is longer
            than `max_seconds`.
        StorageError: the file cannot be read.
    """
    with open_media(path) as container:
        stream = best_stream(container)
        codec = stream.codec_context
        if codec.sample_rate not in RATES:
            message = f"a sample rate of {codec.sample_rate} Hz is not believed"
            raise BadMediaError(message)
        if codec.channels not in CHANNELS:
            message = f"{codec.channels} channels are not believed"
            raise BadMediaError(message)
        return MediaInfo(
            seconds=_seconds(container, stream, max_seconds),
            container=container.format.name,
            codec=codec.name,
            channels=codec.channels,
            sample_rate=codec.sample_rate,
        )


def _seconds(container: InputContainer, stream: AudioStream, max_seconds: float) -> float:
    total = 0.0
    base = float(stream.time_base) if stream.time_base else 0.0
    try:
        for packet in container.demux(stream):
            total += (packet.duration or 0) * base
            if total > max_seconds:
                raise too_long(max_seconds)
    except DECODE_ERRORS:
        return total  # the decoder finds out what can be saved
    return total


def too_long(max_seconds: float) -> BadMediaError:
    """Return the error for a recording of more than `max_seconds`."""
    return BadMediaError(
        f"it is longer than {max_seconds:g} s, the most that is decoded "
        "(CHORDSCRIBE_WORKER__MAX_AUDIO_SECONDS)"
    )
