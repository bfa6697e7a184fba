"""Moves an embedded installation to servers, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import psycopg
from kombu.exceptions import OperationalError as BrokerError
from pydantic import SecretStr

from coordinator.app import make_app
from coordinator.backup.create import snapshot
from coordinator.backup.files import copy_file
from coordinator.backup.restore import migrate, settle
from coordinator.backup.tables import (
    check_empty,
    empty_tables,
    fill_table,
    read_table,
    tables_of,
    wind_counters,
)
from coordinator.errors import MoveError
from coordinator.local.moved import clear_mark, set_mark
from schemas.backup import Restored
from schemas.database import Database, database_url
from schemas.logs import redact
from schemas.media_store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.client import Client
    from schemas.settings import Settings

    Say = Callable[[str], None]

#: Seconds that the new broker may take to answer.
BROKER_SECONDS = 5


def new_settings(settings: Settings, database: str, broker: str, storage: str | None) -> Settings:
    """Return an installation's settings after its move.

    Raises:
        MoveError: it is on servers already, or the storage is no folder.
        ConfigurationError: the database is no Postgres.
    """
    if settings.database_url is not None or settings.broker_url is not None:
        message = (
            "this installation has a server already (CHORDSCRIBE_DATABASE_URL or "
            "CHORDSCRIBE_BROKER_URL is set): `backup create` there and `backup restore` here "
            "move between servers"
        )
        raise MoveError(message)
    moved = settings.model_copy(
        update={
            "database_url": SecretStr(database),
            "broker_url": SecretStr(broker),
            "media_dir": _folder(storage) if storage else settings.media_root.resolve(),
        }
    )
    database_url(moved)
    return moved


def _folder(storage: str) -> Path:
    parts = urlsplit(storage)
    if parts.scheme not in {"", "file"} or parts.netloc:
        message = f"{redact(storage)} is no folder: give a path, or file:///path, that all share"
        raise MoveError(message)
    folder = Path(unquote(parts.path) if parts.scheme else storage).expanduser()
    if not folder.is_absolute():
        message = f"{storage} is no absolute path: other machines would look elsewhere"
        raise MoveError(message)
    return folder


def move(client: Client, target: Settings, say: Say) -> Restored:
    """Copy a client's embedded installation to `target`, then mark it as moved.

    Whatever goes wrong before the end leaves it as it was. Jobs that have not ended go on at the
    new place.

    Args:
        client: connected to the embedded stack, on which nobody else works.
        target: the settings that name the servers.
        say: told what is being done.

    Raises:
        MoveError: others use the installation, or a server does not answer.
        RestoreError: the new database is not empty, or cannot be brought to our schema.
        LedgerError: a database does not answer.
    """
    if client.stack.reused:
        message = "others are using this installation: end `chordscribe up` and what else runs"
        raise MoveError(message)
    say("looking at the servers")
    check_broker(target)
    migrate(target)
    data_dir, to = target.data_dir, redact(database_url(target))
    set_mark(data_dir, to, done=False)
    try:
        moved = _copy(client, target, say)
    except BaseException:
        clear_mark(data_dir)
        raise
    set_mark(data_dir, to, done=True)
    return moved


def check_broker(settings: Settings) -> None:
    """Make sure that the broker answers.

    Raises:
        MoveError: it does not.
    """
    app = make_app(settings)
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
    except (BrokerError, OSError, ValueError, KeyError) as error:
        message = f"the new broker does not answer: {redact(str(error))}"
        raise MoveError(message) from error
    finally:
        app.close()


def _copy(client: Client, target: Settings, say: Say) -> Restored:
    database = Database(target)
    try:
        with client.database.connected() as source, database.connected() as goal:
            check_empty(goal)
            with snapshot(source), goal.transaction():
                rows = _tables(source, goal, say)
        say("the recordings")
        files = _media(client.settings.media_root, target.media_root)
        with database.connected() as goal:
            missing = settle(goal, open_store(target))
    finally:
        database.dispose()
    return Restored(rows=rows, media_files=files, missing=missing)


def _tables(source: psycopg.Connection[Any], goal: psycopg.Connection[Any], say: Say) -> int:
    tables = tables_of(source)
    empty_tables(goal, tables)
    rows = 0
    for table in tables:
        say(f"the table {table.name}")
        with source.cursor() as cursor:
            try:
                filled = fill_table(goal, table, read_table(cursor, table))
            except psycopg.Error as error:
                why = error.diag.message_primary or type(error).__name__
                message = f"the new database does not take the table {table.name}: {why}"
                raise MoveError(message) from error
            if filled != cursor.rowcount:
                message = f"the table {table.name} got {filled} rows of {cursor.rowcount}"
                raise MoveError(message)
        rows += filled
    wind_counters(goal)
    return rows


def _media(source: Path, target: Path) -> int:
    """Copy the media store, unless it stays; return how many files that were."""
    if source.resolve() == target.resolve():
        return 0
    count = 0
    try:
        for path in sorted(source.glob("??/*")):
            goal = target / path.relative_to(source)
            if not path.is_file() or path.name.startswith("."):
                continue
            if not (goal.exists() and goal.stat().st_size == path.stat().st_size):
                _, sha256 = copy_file(path, goal, _readable)
                _check(path, sha256)
                goal.parent.chmod(0o755)
                count += 1
    except OSError as error:
        message = f"a recording cannot be copied to {target}: {error.strerror}"
        raise MoveError(message) from error
    return count


def _check(path: Path, sha256: str) -> None:
    if not path.suffix and path.name != sha256:
        message = f"the recording {path} is damaged: its content is not what its name says"
        raise MoveError(message)


def _readable(path: Path) -> None:
    path.chmod(0o644)  # the workers may be other users
