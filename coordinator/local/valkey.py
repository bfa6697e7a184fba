"""The embedded broker: how it is started, asked and emptied."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

from coordinator.errors import LocalStackError
from coordinator.local.binaries import find_valkey
from coordinator.local.commands import Command, server_env
from coordinator.local.unprivileged import own_folder

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.local.paths import StackPaths
    from coordinator.local.unprivileged import ServerUser

#: Seconds to wait for an answer over the socket.
ANSWER_TIMEOUT_SECONDS = 2.0


class Valkey:
    """One Valkey (or Redis) server on a unix socket, its queues kept in an append-only file."""

    def __init__(self, paths: StackPaths, user: ServerUser | None) -> None:
        """Find a binary.

        Raises:
            ServersMissingError: none runs here.
        """
        self._binary = find_valkey(user, paths.copies)
        self._folder = paths.valkey
        self._socket = paths.sockets / "valkey.sock"
        self._user = user

    @property
    def url(self) -> str:
        """The broker's address as Celery reads it."""
        return broker_url(self._socket)

    def prepare(self) -> None:
        """Make its folder, then remove the socket that a killed server left.

        Raises:
            LocalStackError: a server that is not ours answers on the socket.
        """
        own_folder(self._folder, self._user)
        if self.answers():
            message = f"another server already answers on {self._socket}: end it first"
            raise LocalStackError(message)
        self._socket.unlink(missing_ok=True)

    def command(self) -> Command:
        """Return the server's command line."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": "",
            # A full broker must refuse, never drop, a message.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        return Command(
            "valkey",
            (str(self._binary), *words),
            env=server_env(),
            cwd=self._folder,
            user=self._user,
            serves=True,
        )

    def answers(self) -> bool:
        """Whether the server takes commands (one that still loads its file does not)."""
        return self._ask("PING") == b"+PONG\r\n"

    def flush(self) -> None:
        """Drop every message and result.

        Raises:
            LocalStackError: the server refused.
        """
        if self._ask("FLUSHALL") != b"+OK\r\n":
            message = "the broker could not be emptied: see logs/valkey.log"
            raise LocalStackError(message)

    def _ask(self, command: str) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_TIMEOUT_SECONDS)
                connection.connect(str(self._socket))
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(256)
        except OSError:
            return b""


def broker_url(path: Path, database: int = 0) -> str:
    """Return the address of the broker behind a unix socket, as Celery reads it."""
    return f"redis+socket://{quote(str(path))}?virtual_host={database}"
