"""The broker and the database of the fault tests, which a case may kill, restart or empty."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import redis

from coordinator.local.launch import launch
from coordinator.local.paths import StackPaths, make_folders, stack_paths
from coordinator.local.postgres import Postgres
from coordinator.local.unprivileged import own_folder, server_user
from coordinator.local.valkey import Valkey
from tests.chaos.containers import GONE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.local.starting import Server

#: Seconds that a server may take to answer, and between two questions.
START_SECONDS, ASK_SECONDS = 60.0, 0.01
#: What makes Postgres count statements; a test that outlives a power cut is none.
OPTIONS = {
    "fsync": "off",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_utility": "on",
}


@dataclass
class Running:
    """A server whose process can be ended and started at will."""

    server: Server
    logs: Path
    #: More words for its command line.
    more: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it; return once it answers.

        Raises:
            TimeoutError: it does not.
        """
        self.server.prepare()
        command = self.server.command()
        argv = (*command.argv, *self.more)
        self.process = launch(replace(command, argv=argv), self.logs)
        deadline, tick = time.monotonic() + START_SECONDS, threading.Event()
        while not self.server.answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                message = f"{command.name} did not start: {self.logs / command.name}.log"
                raise TimeoutError(message)
            tick.wait(ASK_SECONDS)

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it by a signal; wait until it is gone, its children too."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        self.process.wait(GONE_SECONDS)

    def restart(self, number: int = signal.SIGINT) -> None:
        """End it by a signal, then start it again."""
        self.stop(number)
        self.start()


class Servers:
    """One Valkey and one Postgres in a folder of their own."""

    def __init__(
        self,
        folder: Path,
        broker_options: tuple[str, ...] = (),
        postgres_options: Mapping[str, str] | None = None,
    ) -> None:
        """Make the database's files, then start both."""
        self.paths: StackPaths = stack_paths(folder)
        make_folders(self.paths)
        user = server_user()
        own_folder(self.paths.sockets, user)
        self.valkey = Valkey(self.paths, user)
        self._postgres = Postgres(self.paths, user, {**OPTIONS, **(postgres_options or {})})
        self._create()
        self.broker = Running(self.valkey, self.paths.logs, broker_options)
        self.postgres = Running(self._postgres, self.paths.logs)
        self.postgres.start()
        self.broker.start()

    @property
    def broker_url(self) -> str:
        """The broker's address as Celery reads it."""
        return self.valkey.url

    @property
    def database_url(self) -> str:
        """The ledger's address as SQLAlchemy reads it."""
        return self._postgres.url

    def redis(self) -> redis.Redis:
        """Open a connection to the broker."""
        return redis.Redis(unix_socket_path=str(self.paths.sockets / "valkey.sock"))

    def stop(self) -> None:
        """End both."""
        self.broker.stop(signal.SIGKILL)
        self.postgres.stop(signal.SIGQUIT)

    def _create(self) -> None:
        command = self._postgres.creation()
        options = command.user.popen_options() if command.user else {}
        subprocess.run(
            command.argv,
            check=True,
            env=command.env,
            cwd=command.cwd,
            stdout=subprocess.DEVNULL,
            **options,
        )
        with (self.paths.postgres.with_name("postgres.new") / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.213.77.0/24 trust\n")  # the partitions' network
        self._postgres.adopt()
