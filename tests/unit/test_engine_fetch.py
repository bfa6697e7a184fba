"""A staged recording is read from the media store, or its absence is a typed failure."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine_workers.errors import StorageError
from engine_workers.fetch import fetch
from schemas.audio import AudioRef

AUDIO = AudioRef(sha256="ab" * 32, size=4, name="talk.wav")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return where the recording has to lie; its folder is there."""
    path = tmp_path / AUDIO.key
    path.parent.mkdir(parents=True)
    return path


def test_a_staged_recording_is_found(tmp_path: Path, place: Path) -> None:
    place.write_bytes(b"RIFF")
    assert fetch(AUDIO, tmp_path) == place


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (lambda _: None, "CHORDSCRIBE_MEDIA_DIR"),
        (lambda path: path.write_bytes(b"RIF"), "with 4 bytes, but the media store has 3"),
        (lambda path: path.mkdir(), "no regular file"),
        (os.mkfifo, "no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
        (lambda path: path.symlink_to("/etc/passwd"), "no regular file"),
    ],
    ids=["missing", "cut short", "folder", "fifo", "device", "link"],
)
def test_anything_else_is_a_storage_failure(
    tmp_path: Path, place: Path, put: Callable[[Path], object], reason: str
) -> None:
    put(place)
    with pytest.raises(StorageError, match=reason):
        fetch(AUDIO, tmp_path)
