"""Finds a staged recording in the media store."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine_workers.errors import StorageError
from schemas.audio import AudioRef
from schemas.errors import MediaStoreError
from schemas.media_store import Alive, MediaStore, nothing


@contextmanager
def fetched(audio: AudioRef, store: MediaStore, alive: Alive = nothing) -> Iterator[Path]:
    """Give where this machine can read the staged recording, for as long as the block lasts.

    Raises:
        StorageError: it is not there, cannot be fetched, or is not what was staged.
    """
    with held(store, audio.key, alive) as path:
        yield fetch(audio, path.parents[1])


@contextmanager
def held(store: MediaStore, key: str, alive: Alive = nothing) -> Iterator[Path]:
    """Give where this machine can read a file of the store, for as long as the block lasts.

    Raises:
        StorageError: it cannot be fetched.
    """
    try:
        with store.held(key, alive) as path:
            yield path
    except MediaStoreError as error:
        raise StorageError(str(error)) from error


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
            "the media directory (CHORDSCRIBE_MEDIA_DIR, storage.url) with the one that staged it?"
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
