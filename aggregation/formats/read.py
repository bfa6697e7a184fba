"""Reads one transcript file, whatever its format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from aggregation.errors import BadTranscriptFileError
from aggregation.formats.ctm import from_ctm
from aggregation.formats.parts import transcript_of
from aggregation.formats.recognisers import from_json
from aggregation.formats.subtitles import from_subtitles
from schemas.transcript import Segment, Transcript

#: The largest file that is read, in bytes.
MAX_BYTES = 256 << 20

_READERS: dict[str, Callable[[str, str], Transcript]] = {
    ".srt": from_subtitles,
    ".vtt": from_subtitles,
    ".ctm": from_ctm,
    ".json": lambda text, name: from_json(json.loads(text), name),
    ".txt": lambda text, name: transcript_of(
        name, [Segment(text=line.strip()) for line in text.splitlines() if line.strip()]
    ),
}


def read_transcript(path: Path, name: str | None = None) -> Transcript:
    """Read a txt, srt, vtt, ctm, Whisper, FunASR or our own JSON file.

    Args:
        path: The file.
        name: What the engine shall be called; None takes the file's name without its suffix.

    Raises:
        BadTranscriptFileError: it cannot be read, or holds no transcript in a known form.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        message = f"'{path}' has no known ending: one of {', '.join(sorted(_READERS))} is needed"
        raise BadTranscriptFileError(message)
    try:
        if path.stat().st_size > MAX_BYTES:
            message = f"'{path}' is larger than {MAX_BYTES >> 20} MB: this is no transcript"
            raise BadTranscriptFileError(message)
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"'{path}' is no UTF-8 text"
        raise BadTranscriptFileError(message) from error
    except OSError as error:
        message = f"'{path}' cannot be read: {error.strerror}"
        raise BadTranscriptFileError(message) from error
    try:
        return reader(text, name or path.stem)
    except (ValueError, ValidationError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        message = f"'{path}' holds no transcript in a known form: {reason}"
        raise BadTranscriptFileError(message) from error
