"""Finds a staged recording in the media store."""

from __future__ import annotations

import stat
from pathlib import Path

from engine_workers.errors import StorageError
from schemas.audio import AudioRef


def fetch(audio: AudioRef, media_root: Path) -> Path:
    """Return where this machine can read the recording.

    Raises:
        StorageError: it is not there, is no regular file, or has another size than was staged.
    """
    path = media_root / audio.key
    try:
        found = path.lstat()
    except OSError as error:
        message = (
            f"the media store has no '{audio.name}' ({error.strerror}): does this machine share "
            "the media directory (CHORDSCRIBE_MEDIA_DIR) with the one that staged it?"
        )
        raise StorageError(message) from error
    if not stat.S_ISREG(found.st_mode):
        message = f"what the media store has for '{audio.name}' is no regular file"
        raise StorageError(message)
    if found.st_size != audio.size:
        message = (
            f"'{audio.name}' was staged with {audio.size} bytes, "
            f"but the media store has {found.st_size}"
        )
        raise StorageError(message)
    return path
