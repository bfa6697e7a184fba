"""Opens a media file so that it can reach nothing but itself."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from engine_workers.errors import BadMediaError, StorageError

#: The demuxers that may open a file. None of them opens another file, unlike those of playlists
#: (`concat`, `hls`, `dash`, `sdp`, …), which would read whatever path or address they name.
FORMATS = (
    *("aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "au", "avi", "caf", "dsf"),
    *("eac3", "flac", "flv", "gsm", "loas", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2"),
    *("mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "tak", "tta", "voc", "w64", "wav", "wv"),
)
#: Options of every container: which demuxers may be tried, and that no other address is opened.
OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "none"}

#: What PyAV raises for broken files: IndexError where streams appear in the middle.
DECODE_ERRORS = (FFmpegError, ValueError, IndexError)


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a recording for reading.

    Raises:
        BadMediaError: it is of no allowed format, or broken from the start.
        StorageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file, _opened(file) as container:
            yield container
    except OSError as error:
        if isinstance(error, FFmpegError) or error.errno == errno.EINVAL:  # a seek to nowhere
            message = f"the file breaks off, or is none ({reason(error)})"
            raise BadMediaError(message) from error
        message = f"the staged recording cannot be read: {reason(error)}"
        raise StorageError(message) from error


def _opened(file: BinaryIO) -> InputContainer:
    try:
        return av.open(file, mode="r", container_options=OPTIONS, metadata_errors="replace")
    except DECODE_ERRORS as error:
        message = f"this is no recording of a known format ({reason(error)})"
        raise BadMediaError(message) from error


def best_stream(container: InputContainer) -> AudioStream:
    """Return the audio stream that the container marks as its best.

    Raises:
        BadMediaError: there is none.
    """
    best = container.streams.best("audio")
    if isinstance(best, AudioStream) and best.codec_context is not None:
        return best
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    message = f"there is no sound in it that can be decoded, only {kinds}"
    raise BadMediaError(message)


def reason(error: Exception) -> str:
    """Return FFmpeg's reason without the errno and the path that its errors carry."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
