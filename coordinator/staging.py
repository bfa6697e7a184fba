"""Copies a user's recording into the media store under the SHA-256 of its bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from coordinator.errors import BadSourceError, StagingError
from schemas.audio import AudioRef

#: Bytes copied at a time.
BLOCK_BYTES = 1 << 20
#: The longest path that is looked at, in characters (Linux: PATH_MAX).
MAX_PATH_CHARACTERS = 4096
#: The longest part of a bad path that an error repeats, in characters.
MAX_SHOWN_CHARACTERS = 120

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
#: Control characters, those that turn the direction of the text around them, lone surrogates.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def stage(source: str | os.PathLike[str], media_root: Path) -> AudioRef:
    """Copy the file at `source` into the media store, unless its bytes are there already.

    The copy is written aside, flushed to disk, then renamed: a reader never sees half a file.

    Raises:
        BadSourceError: `source` is no readable, non-empty regular file, or it changed meanwhile.
        StagingError: the media store cannot be written.
    """
    path = _checked_path(source)
    with _open_regular(path) as file:
        try:
            return _store(file, path, media_root)
        except OSError as error:
            message = f"cannot write to the media store {media_root}: {error.strerror}"
            raise StagingError(message) from error


def printable(text: str) -> str:
    """Return `text` with every character that could confuse a terminal or a log replaced."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _shown(path: Path | str) -> str:
    text = printable(str(path))
    if len(text) > MAX_SHOWN_CHARACTERS:
        text = f"{text[:MAX_SHOWN_CHARACTERS]}…"
    return f"'{text}'"


def _checked_path(source: str | os.PathLike[str]) -> Path:
    text = os.fspath(source)
    if not text.strip():
        message = "no recording given: the path is empty"
    elif len(text) > MAX_PATH_CHARACTERS:
        message = f"{_shown(text)} is no path: it has {len(text)} characters"
    elif "\x00" in text:
        message = f"{_shown(text)} is no path: it holds a NUL character"
    elif _SCHEME.match(text):
        message = f"{_shown(text)} is an address; only local files can be submitted"
    else:
        return Path(text)
    raise BadSourceError(message)


def _open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device is neither read nor waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, UnicodeEncodeError) as error:
        raise BadSourceError(_reason(path, error)) from error
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
    message = f"{_shown(path)} is {what}: name an audio or video file"
    raise BadSourceError(message)


def _reason(path: Path, error: OSError | UnicodeEncodeError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{_shown(path)} does not exist"
    if isinstance(error, PermissionError):
        return f"{_shown(path)} may not be read by this user"
    if isinstance(error, OSError) and error.errno in {errno.ENXIO, errno.ENODEV}:
        return f"{_shown(path)} is no regular file: name an audio or video file"
    why = error.strerror if isinstance(error, OSError) else "its name cannot be encoded"
    return f"{_shown(path)} cannot be opened: {why}"


def _store(file: BinaryIO, path: Path, media_root: Path) -> AudioRef:
    before = os.fstat(file.fileno())
    if before.st_size == 0:
        message = f"{_shown(path)} is empty: there is nothing to transcribe"
        raise BadSourceError(message)
    incoming = media_root / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=incoming)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as copy:
            digest = hashlib.sha256()
            for block in _blocks(file, path):
                digest.update(block)
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
        after = os.fstat(file.fileno())
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            message = f"{_shown(path)} changed while it was read: submit it again when it is whole"
            raise BadSourceError(message)
        ref = AudioRef(sha256=digest.hexdigest(), size=after.st_size, name=printable(path.name))
        _keep(part, media_root / ref.key)
    finally:
        part.unlink(missing_ok=True)
    return ref


def _blocks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(BLOCK_BYTES)
        except OSError as error:
            raise BadSourceError(_reason(path, error)) from error
        if not block:
            return
        yield block


def _keep(part: Path, final: Path) -> None:
    """Move `part` to its place; the workers, who may be other users, can read it."""
    part.chmod(0o644)
    final.parent.mkdir(exist_ok=True)
    part.replace(final)
