"""Reads a recording from a file of this machine."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from coordinator.errors import BadSourceError
from coordinator.sources.reference import check_still_below
from coordinator.sources.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.sources.reference import Reference
    from schemas.settings import SourceSettings

#: Bytes read at a time.
BLOCK_BYTES = 1 << 20


@contextmanager
def opened(reference: Reference, rules: SourceSettings) -> Iterator[Iterator[bytes]]:
    """Open the file; give its blocks.

    Raises:
        BadSourceError: it is no readable, non-empty regular file, or it changed meanwhile.
    """
    path = Path(reference.target)
    no_link = os.O_NOFOLLOW if reference.scheme == "file" else 0
    with _open_regular(path, no_link) as file:
        if no_link:
            check_still_below(reference.target, rules)
        yield _blocks(file, path)


def _open_regular(path: Path, flags: int) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device is neither read nor waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    except (OSError, UnicodeEncodeError) as error:
        raise BadSourceError(_reason(path, error)) from error
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
    message = f"{shown(path)} is {what}: name an audio or video file"
    raise BadSourceError(message)


def _reason(path: Path, error: OSError | UnicodeEncodeError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{shown(path)} does not exist"
    if isinstance(error, PermissionError):
        return f"{shown(path)} may not be read by this user"
    if isinstance(error, OSError) and error.errno in {errno.ENXIO, errno.ENODEV}:
        return f"{shown(path)} is no regular file: name an audio or video file"
    why = error.strerror if isinstance(error, OSError) else "its name cannot be encoded"
    return f"{shown(path)} cannot be opened: {why}"


def _blocks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    before = os.fstat(file.fileno())
    while True:
        try:
            block = file.read(BLOCK_BYTES)
        except OSError as error:
            raise BadSourceError(_reason(path, error)) from error
        if not block:
            break
        yield block
    after = os.fstat(file.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        message = f"{shown(path)} changed while it was read: submit it again when it is whole"
        raise BadSourceError(message)
