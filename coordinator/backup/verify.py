"""Looks whether a backup is what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.backup.files import MEDIA_LIST, read_manifest, read_media_list, sum_of
from coordinator.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.backup import Manifest

#: Faults that an error names.
NAMED = 5


def verify_backup(folder: Path) -> Manifest:
    """Read every file of a backup and compare it with its checksum; return what it holds.

    Raises:
        BackupError: it is none, or damaged; the message names the first files.
    """
    manifest = read_manifest(folder)
    faults = list(_faults(folder, manifest))
    if faults:
        more = f", and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        message = f"the backup {folder} is damaged: {'; '.join(faults[:NAMED])}{more}"
        raise BackupError(message)
    return manifest


def _faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    for table in manifest.tables:
        name = f"ledger/{table.name}.copy.gz"
        yield from _fault(folder / name, name, table.sha256)
    wrong = list(_fault(folder / MEDIA_LIST, MEDIA_LIST, manifest.media_sha256))
    yield from wrong
    if manifest.with_media and not wrong:
        for file in read_media_list(folder):
            # A recording's name is its checksum: whoever wrote the list cannot be wrong about it.
            yield from _fault(folder / "media" / file.key, f"media/{file.key}", file.sha256)


def _fault(path: Path, name: str, sha256: str) -> Iterator[str]:
    try:
        if sum_of(path) != sha256:
            yield f"{name} is not what was written"
    except FileNotFoundError:
        yield f"{name} is missing"
    except OSError as error:
        yield f"{name} cannot be read: {error.strerror}"
