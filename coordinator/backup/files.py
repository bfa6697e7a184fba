"""Writes a backup's files with their checksums, reads them back."""

from __future__ import annotations

import gzip
import hashlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from pydantic import ValidationError

from coordinator.errors import BackupError
from schemas.backup import Manifest, MediaFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MANIFEST, MANIFEST_SUM, MEDIA_LIST = "manifest.json", "manifest.json.sha256", "media.jsonl"
#: Bytes read at once.
BLOCK_BYTES = 1 << 20
#: gzip's quickest: transcripts are compressed already.
LEVEL = 1


class Summed:
    """A file that is being written, with the SHA-256 of what was."""

    def __init__(self, file: IO[bytes]) -> None:
        """Begin with nothing written."""
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        """Write more."""
        self._digest.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Do as a file does."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """The checksum so far."""
        return self._digest.hexdigest()


@contextmanager
def created(path: Path) -> Iterator[Summed]:
    """Make a new file that nobody else can read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("xb") as file:
        path.chmod(0o600)
        yield Summed(file)


def write_compressed(path: Path, blocks: Iterable[bytes]) -> Summed:
    """Write blocks, compressed."""
    with created(path) as summed:
        with gzip.GzipFile("", "wb", LEVEL, summed, mtime=0) as packed:
            for block in blocks:
                packed.write(block)
        return summed


def read_compressed(path: Path) -> Iterator[bytes]:
    """Yield what `write_compressed` wrote."""
    with gzip.open(path, "rb") as packed:
        while block := packed.read(BLOCK_BYTES):
            yield block


def copy_file(
    source: Path, target: Path, make: Callable[[Path], object] | None = None
) -> tuple[int, str]:
    """Copy a file, whole or not at all; return its size and its SHA-256."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with source.open("rb") as file, part.open("xb") as copy:
            summed = Summed(copy)
            while block := file.read(BLOCK_BYTES):
                summed.write(block)
        if make is not None:
            make(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return summed.bytes, summed.sha256


def sum_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the table of contents, last of all."""
    text = manifest.model_dump_json(indent=1).encode()
    with created(folder / MANIFEST) as file:
        file.write(text)
    with created(folder / MANIFEST_SUM) as file:
        file.write(f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode())


def read_manifest(folder: Path) -> Manifest:
    """Return the table of contents of a backup.

    Raises:
        BackupError: there is none, it is damaged, or of a newer form.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
        told = (folder / MANIFEST_SUM).read_text().split(maxsplit=1)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{folder} is no backup: it has no {MANIFEST}"
        raise BackupError(message) from error
    if told[:1] != [hashlib.sha256(text).hexdigest()]:
        message = f"the backup {folder} is damaged: {MANIFEST} is not what was written"
        raise BackupError(message)
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        message = f"the backup {folder} has a form that this program does not know"
        raise BackupError(message) from error


def read_media_list(folder: Path) -> Iterator[MediaFile]:
    """Yield the recordings' files that a backup has, or lists."""
    with (folder / MEDIA_LIST).open("rb") as lines:
        for line in lines:
            yield MediaFile.model_validate_json(line)
