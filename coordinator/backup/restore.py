"""Brings a backup back into an empty installation."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg

from coordinator.backup.files import copy_file, read_compressed, read_media_list
from coordinator.backup.tables import (
    Table,
    check_empty,
    empty_tables,
    fill_table,
    tables_of,
    wind_counters,
)
from coordinator.backup.verify import verify_backup
from coordinator.errors import RestoreError
from schemas.audio import keys_of
from schemas.backup import Restored
from schemas.database import database_url
from schemas.errors import MediaStoreError, SchemaVersionError
from schemas.media_store import open_store
from schemas.names import CHANNEL_WORK
from schemas.revision import SCHEMA_REVISION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from schemas.backup import Manifest
    from schemas.database import Database
    from schemas.media_store import MediaStore
    from schemas.settings import Settings

    Say = Callable[[str], None]

#: Recordings that are to be prepared anew, should somebody ask more engines about them.
UNPREPARE = "DELETE FROM media WHERE state = 'ready' AND NOT sha256 = ANY(%s)"
RECORDINGS = """
SELECT DISTINCT audio ->> 'sha256', coalesce(audio ->> 'split_of', audio ->> 'sha256')
FROM jobs WHERE NOT 'media' = ANY(erased)
"""


def restore_backup(
    database: Database, settings: Settings, folder: Path, say: Say = print
) -> Restored:
    """Bring a backup back: all of the ledger in one transaction, then the recordings.

    The backup is verified first. One of an older schema is loaded into that schema, which is then
    brought to this program's. Jobs that had not ended go on with the next coordinator.

    Raises:
        BackupError: it is none, or damaged; nothing was changed.
        RestoreError: the ledger is not empty, or does not take what the backup has.
        SchemaVersionError: the backup was made by a newer program.
        LedgerError: the database does not answer.
    """
    say("verifying the backup")
    manifest = verify_backup(folder)
    if manifest.revision > SCHEMA_REVISION:
        message = (
            f"the backup has schema {manifest.revision}, newer than this program's "
            f"{SCHEMA_REVISION}: update Chordscribe on this machine"
        )
        raise SchemaVersionError(message)
    with database.connected() as connection:
        check_empty(connection)
    if manifest.with_media and settings.storage.bucket:
        message = (
            f"the backup has recordings, which cannot be copied into {settings.storage.bucket}: "
            "restore into an installation with a folder, or make it with --without-media"
        )
        raise RestoreError(message)
    older = manifest.revision != SCHEMA_REVISION
    if older:
        migrate(settings, "base")
        migrate(settings, manifest.revision)
    try:
        with database.connected() as connection, connection.transaction():
            rows = _load(connection, manifest, folder, say)
    finally:
        if older:
            migrate(settings)
    say("the recordings")
    files = _media(folder, settings.media_root) if manifest.with_media else 0
    with database.connected() as connection:
        missing = settle(connection, open_store(settings))
    return Restored(rows=rows, media_files=files, missing=missing)


def migrate(settings: Settings, revision: str = "head") -> None:
    """Bring a database to a schema, by the program that can.

    Raises:
        RestoreError: it cannot.
    """
    env = {**os.environ, "CHORDSCRIBE_DATABASE_URL": database_url(settings)}
    done = subprocess.run(  # noqa: S603  # our own module
        [sys.executable, "-P", "-m", "ops.migrate", "--to", revision],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        message = f"the database could not be brought to the schema {revision}: {why}"
        raise RestoreError(message)


def _load(connection: psycopg.Connection[Any], manifest: Manifest, folder: Path, say: Say) -> int:
    there = {table.name: table for table in tables_of(connection)}
    files = {table.name: table for table in manifest.tables}
    strange = sorted(set(files) - set(there))
    if strange:
        message = f"the ledger has no table {strange[0]}, which the backup has"
        raise RestoreError(message)
    empty_tables(connection, tuple(there.values()))
    rows = 0
    for name in there:
        if name not in files:
            continue
        say(f"the table {name}")
        table = Table(name, files[name].columns)
        blocks = read_compressed(folder / "ledger" / f"{name}.copy.gz")
        try:
            found = fill_table(connection, table, blocks)
        except psycopg.Error as error:
            message = f"the table {name} does not take what the backup has: {_kind(error)}"
            raise RestoreError(message) from error
        if found != files[name].rows:
            message = f"the table {name} got {found} rows of {files[name].rows}"
            raise RestoreError(message)
        rows += found
    wind_counters(connection)
    return rows


def _kind(error: psycopg.Error) -> str:
    """Return what went wrong without the row, which has people's words."""
    return error.diag.message_primary or type(error).__name__


def _media(folder: Path, media_root: Path) -> int:
    """Copy the backup's recordings into the media store; return how many files were not there."""
    count = 0
    try:
        for file in read_media_list(folder):
            target = media_root / file.key
            if target.exists() and target.stat().st_size == file.size:
                continue
            copy_file(folder / "media" / file.key, target, _readable)
            target.parent.chmod(0o755)
            count += 1
    except OSError as error:
        message = (
            f"the ledger is restored, a recording could not be: {error.strerror}; mend that and "
            f"copy the backup's folder media to {media_root}"
        )
        raise RestoreError(message) from error
    return count


def settle(connection: psycopg.Connection[Any], store: MediaStore) -> int:
    """Have the ledger agree with its media store; return how many recordings are not there.

    Raises:
        RestoreError: the store does not tell.
    """
    recordings = connection.execute(RECORDINGS).fetchall()
    try:
        ready = [heard for heard, _ in recordings if store.has(keys_of(heard)[1])]
        sources = {source: store.has(keys_of(source)[0]) for _, source in recordings}
    except MediaStoreError as error:
        message = f"the ledger is restored, but {error}"
        raise RestoreError(message) from error
    connection.execute(UNPREPARE, [ready])
    connection.execute("ANALYZE")
    connection.execute("SELECT pg_notify(%s, '')", [CHANNEL_WORK])
    return sum(not there for there in sources.values())


def _readable(path: Path) -> None:
    path.chmod(0o644)  # the workers may be other users
