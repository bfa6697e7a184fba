"""Writes a backup of the ledger as it stands at one moment, with the recordings."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import IsolationLevel

from coordinator.backup.files import (
    MEDIA_LIST,
    copy_file,
    created,
    write_compressed,
    write_manifest,
)
from coordinator.backup.tables import read_table, revision_of, tables_of
from coordinator.erasing.media import whole
from coordinator.errors import BackupError
from schemas.audio import keys_of
from schemas.backup import Manifest, MediaFile, TableFile
from schemas.errors import MediaStoreError
from schemas.media_store import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import psycopg

    from coordinator.backup.tables import Table
    from schemas.database import Database
    from schemas.media_store import MediaStore

    Say = Callable[[str], None]

#: The recordings that jobs may still need.
RECORDINGS = """
SELECT DISTINCT coalesce(audio ->> 'split_of', audio ->> 'sha256') FROM jobs
WHERE NOT 'media' = ANY(erased) ORDER BY 1
"""


def create_backup(
    database: Database, store: MediaStore, target: Path, *, media: bool = True, say: Say = print
) -> Manifest:
    """Write a backup into the new folder `target`, whole or not at all; work goes on meanwhile.

    All tables are read in one snapshot. The recordings are read after it: they never change, and
    those that were erased since are left out.

    Args:
        database: the ledger.
        store: the media store.
        target: a folder that does not exist.
        media: copy the recordings; False only lists them.
        say: told what is being done.

    Raises:
        BackupError: the folder exists, or cannot be written; or the recordings lie in a bucket and
            shall be copied, which is the bucket's own business.
        LedgerError: the database does not answer.
    """
    if media and not isinstance(store, FolderStore):
        message = (
            f"the recordings lie in {store.shown}: back them up there, and leave them out here "
            "with --without-media"
        )
        raise BackupError(message)
    part = target.with_name(f".{target.name}.part")
    if target.exists():
        message = f"{target} exists already: a backup is a new folder"
        raise BackupError(message)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(mode=0o700)
        manifest = _write(database, store, part, media=media, say=say)
        part.replace(target)
    except OSError as error:
        message = f"cannot write the backup {target}: {error.strerror or error}"
        raise BackupError(message) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _write(
    database: Database, store: MediaStore, folder: Path, *, media: bool, say: Say
) -> Manifest:
    with database.connected() as connection, snapshot(connection):
        revision = revision_of(connection)
        made_at = datetime.now(UTC)
        tables = [_table(connection, table, folder, say) for table in tables_of(connection)]
        recordings = [row[0] for row in connection.execute(RECORDINGS)]
    say("the recordings")
    with created(folder / MEDIA_LIST) as listed:
        count, size, there = 0, 0, set()
        for file in _media(recordings, store, folder / "media" if media else None):
            listed.write(file.model_dump_json().encode() + b"\n")
            count, size = count + 1, size + file.size
            there.add(file.key[3:67])
    manifest = Manifest(
        made_at=made_at,
        revision=revision,
        tables=tuple(tables),
        with_media=media,
        media_files=count,
        media_bytes=size,
        media_sha256=listed.sha256,
        missing=len(set(recordings) - there),
    )
    write_manifest(folder, manifest)
    return manifest


def snapshot(connection: psycopg.Connection[Any]) -> Any:  # noqa: ANN401  # psycopg's own manager
    """Return a transaction that sees the ledger as it stands when it begins."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection.transaction()


def _table(connection: psycopg.Connection[Any], table: Table, folder: Path, say: Say) -> TableFile:
    say(f"the table {table.name}")
    with connection.cursor() as cursor:
        path = folder / "ledger" / f"{table.name}.copy.gz"
        written = write_compressed(path, read_table(cursor, table))
        return TableFile(
            name=table.name,
            columns=table.columns,
            rows=max(0, cursor.rowcount),
            bytes=written.bytes,
            sha256=written.sha256,
        )


def _media(
    recordings: Sequence[str], store: MediaStore, target: Path | None
) -> Iterator[MediaFile]:
    """Copy the recordings, or only list them; yield what there is."""
    for sha256 in sorted(whole(recordings)):
        for key in keys_of(sha256):
            found = _copied(store, key, target) if target else _listed(store, key, sha256)
            if found is not None:
                yield found


def _copied(store: MediaStore, key: str, target: Path) -> MediaFile | None:
    """Copy a file; None: it was erased meanwhile, or never prepared."""
    try:
        with store.held(key) as path:
            size, sha256 = copy_file(path, target / key, _private)
    except FileNotFoundError:
        return None
    return MediaFile(key=key, size=size, sha256=sha256)


def _listed(store: MediaStore, key: str, sha256: str) -> MediaFile | None:
    """Name a file; None: there is none."""
    try:
        size = store.size(key)
    except MediaStoreError as error:
        message = f"cannot list the recordings: {error}"
        raise BackupError(message) from error
    if size is None:
        return None
    return MediaFile(key=key, size=size, sha256=sha256 if key.endswith(sha256) else "0" * 64)


def _private(path: Path) -> None:
    path.chmod(0o600)
