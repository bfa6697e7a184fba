"""The embedded database server: how its data are made, how it is started and asked."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg

from coordinator.local.binaries import find_postgres
from coordinator.local.commands import Command, server_env
from coordinator.local.postmaster import clear_stale_pid
from coordinator.local.unprivileged import own_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.local.paths import StackPaths
    from coordinator.local.unprivileged import ServerUser

#: The superuser, and the database, of the embedded server.
NAME = "chordscribe"
#: Named explicitly everywhere, or PGPORT in somebody's environment would decide.
PORT = 5432
#: Seconds to wait for the server to take a connection.
CONNECT_TIMEOUT_SECONDS = 2
#: Departures from the server's defaults: a small server for one machine.
OPTIONS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_parallel_workers_per_gather": "0",
    "dynamic_shared_memory_type": "mmap",
    "huge_pages": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """One Postgres server on a unix socket that only its user can open."""

    def __init__(
        self, paths: StackPaths, user: ServerUser | None, options: Mapping[str, str] | None = None
    ) -> None:
        """Find binaries of the version that made the data.

        Raises:
            ServersMissingError: none runs here.
        """
        self._data = paths.postgres
        self._making = paths.postgres.with_name("postgres.new")
        self._sockets = paths.sockets
        self._user = user
        self._options = {**OPTIONS, **(options or {})}
        self._programs = find_postgres(user, paths.copies, self._major())

    @property
    def url(self) -> str:
        """The ledger's address as SQLAlchemy reads it."""
        return database_url(self._sockets)

    @property
    def new(self) -> bool:
        """Whether the server has no data yet, so that its start takes longer."""
        return self._major() is None

    def creation(self) -> Command:
        """Return the command that makes the data, in a folder that `adopt` then renames."""
        shutil.rmtree(self._making, ignore_errors=True)
        own_folder(self._making, self._user)
        # --no-sync saves 3 s. The kernel writes the files within half a minute by itself, and
        # whoever cuts the power before that has lost an empty database.
        options = ("-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--wal-segsize=4")
        return Command(
            "initdb",
            (str(self._programs / "initdb"), "-D", str(self._making), "-U", NAME, *options),
            env=server_env(),
            cwd=self._making,
            user=self._user,
        )

    def adopt(self) -> None:
        """Give the new data their name, now that they are complete."""
        self._making.rename(self._data)

    def prepare(self) -> None:
        """Clear what a killed server left."""
        clear_stale_pid(self._data)
        for left in self._sockets.glob(".s.PGSQL.*"):
            left.unlink()

    def command(self) -> Command:
        """Return the server's command line."""
        words = [word for key, value in self._options.items() for word in ("-c", f"{key}={value}")]
        return Command(
            "postgres",
            (
                str(self._programs / "postgres"),
                *("-D", str(self._data), "-k", str(self._sockets)),
                *words,
            ),
            env=server_env(),
            cwd=self._data,
            user=self._user,
            # "Fast": ends the sessions, writes a checkpoint.
            stop_signal=signal.SIGINT,
            grace_seconds=10.0,
            serves=True,
        )

    def answers(self) -> bool:
        """Whether the server takes connections; makes our database when it is not there yet."""
        try:
            with self._connect("postgres") as connection:
                found = connection.execute(
                    "SELECT FROM pg_database WHERE datname = %s", [NAME]
                ).fetchone()
                if found is None:
                    connection.execute(f"CREATE DATABASE {NAME}".encode())
        except psycopg.OperationalError:
            return False
        return True

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Open a connection to our database that commits each statement."""
        return self._connect(NAME)

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._sockets),
            port=PORT,
            user=NAME,
            dbname=database,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            autocommit=True,
        )

    def _major(self) -> int | None:
        try:
            return int((self._data / "PG_VERSION").read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None


def database_url(sockets: Path, name: str = NAME) -> str:
    """Return the address of a database behind the unix socket in the folder `sockets`."""
    return f"postgresql+psycopg://{NAME}@/{name}?host={quote(str(sockets), safe='')}&port={PORT}"
