"""Everything that a stack runs: started when it is needed, ended in order."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

from coordinator.errors import LocalStackError
from coordinator.local.ledger_facts import (
    busy_roles,
    migration,
    schema_is_current,
    unfinished_engines,
)
from coordinator.local.messages import Ready
from coordinator.local.role_commands import GRACE_SECONDS, RoleCommands
from coordinator.local.servers import Servers
from coordinator.local.starting import finish
from coordinator.local.work import Work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coordinator.local.children import Child, Children
    from coordinator.local.messages import Boot, FlowerRequest, Need
    from coordinator.local.paths import StackPaths

    Say = Callable[[str], None]

#: Seconds between two looks at whether the last task has ended.
LOOK_SECONDS = 0.1
#: Seconds of the processor that a role needs to import what it uses. On a machine of few, roles
#: that all begin at once hinder each other: the first engine hears nothing until all are ready.
HEAD_START_SECONDS = 1.0
#: So many processors are enough for all to begin at once.
MANY_PROCESSORS = 4


class Crew:
    """The servers and the roles of one data directory."""

    def __init__(
        self, boot: Boot, paths: StackPaths, children: Children, notice: Callable[[str], None]
    ) -> None:
        """Begin with nothing running; `notice` is told of what is given up."""
        self._boot = boot
        self._paths = paths
        self._children = children
        self._servers = Servers(boot, paths, children, notice, self._without_roles)
        self._work = Work(children, notice)
        self._flower_url: str | None = None
        self._schema_checked = boot.database_url is not None
        self._one_at_a_time = asyncio.Lock()

    async def ensure(self, need: Need, say: Say) -> Ready:
        """Start what is needed, unless it runs; roles may still be importing at the return.

        Raises:
            LocalStackError: something could not be started.
            DataDirectoryError: the servers' user cannot reach the data directory.
            SchemaVersionError: the database is newer than this code.
        """
        async with self._one_at_a_time:
            self._check_same_servers(need)
            work = need.work or bool(need.engines)
            await self._servers.need(say, broker=need.broker or work or need.flower is not None)
            database_url = self._servers.database_url or ""
            commands = RoleCommands(
                self._boot, self._paths, self._servers.broker_url or "", database_url
            )
            await self._update_schema(commands, database_url, say)
            if work:
                self._start_work(commands, {*need.engines, *unfinished_engines(database_url)}, say)
            if need.flower is not None:
                self._start_flower(commands, need.flower)
            return Ready(self._servers.broker_url, database_url, self._flower_url)

    async def stop(self) -> None:
        """End everything: roles that have a task in order, idle ones at once, then the servers.

        Celery takes 1.5 s and more to end a pool that does nothing, and Python half a second to
        take a coordinator apart. What they know is in the ledger, so they are just killed.
        """
        roles = self._work.names() - {"flower"}
        self._children.close(busy := self._busy(roles))
        deadline = time.monotonic() + GRACE_SECONDS
        while busy and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            busy = self._busy(busy & self._children.alive())
        await self._children.stop_all(roles)

    def _busy(self, roles: set[str]) -> set[str]:
        """Return those of the roles that have a task to do; all when the ledger is away."""
        try:
            return roles & set(busy_roles(self._servers.database_url or "")) if roles else roles
        except LocalStackError as error:
            print(f"the roles are ended as if they were busy: {error}", flush=True)
            return roles

    def _check_same_servers(self, need: Need) -> None:
        ours = (self._boot.broker_url, self._boot.database_url)
        if (need.broker_url, need.database_url) != ours:
            message = (
                "the stack that runs on this data directory uses other servers than "
                "CHORDSCRIBE_BROKER_URL and CHORDSCRIBE_DATABASE_URL name now: end it first"
            )
            raise LocalStackError(message)

    async def _update_schema(self, commands: RoleCommands, database_url: str, say: Say) -> None:
        """Migrate the embedded database; one that runs elsewhere is its operator's."""
        if self._schema_checked:
            return
        if not schema_is_current(database_url):
            say("updating the database's schema")
            failure = "the database's schema could not be updated"
            await finish(migration(commands.env), self._children, self._paths.logs, failure)
        self._schema_checked = True

    def _start_work(self, commands: RoleCommands, engines: set[str], say: Say) -> None:
        say("starting the workers")
        wait = 0.0 if self._work.names() - {"flower"} else _head_start()
        # Another stack may be at work on a database that is not embedded.
        fresh = self._boot.database_url is None
        self._work.start(commands.coordinator(fresh=fresh), commands.coordinator(fresh=False))
        for place, name in enumerate(sorted(engines)):
            again = commands.engine(name)
            self._work.start(commands.engine(name, wait=wait) if place else again, again)
        self._work.start(commands.aggregation(wait=wait), commands.aggregation())

    def _start_flower(self, commands: RoleCommands, request: FlowerRequest) -> None:
        if self._work.runs("flower"):
            return
        port = _free_port(request.port)
        self._work.start(commands.flower(request, port))
        self._flower_url = f"http://127.0.0.1:{port}"

    async def _without_roles(self, start: Callable[[], Awaitable[Child]]) -> Child:
        """Start a new broker between the roles' end and their new beginning."""
        async with self._one_at_a_time:
            await self._work.stop()
            child = await start()
            self._work.start_over()
            return child


def _head_start() -> float:
    """Return the seconds for which the other workers leave the processor to the first engine's."""
    return HEAD_START_SECONDS if (os.cpu_count() or 1) < MANY_PROCESSORS else 0.0


def _free_port(wanted: int) -> int:
    """Return a port on which Flower can listen.

    Raises:
        LocalStackError: `wanted` is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            message = f"Flower cannot listen on port {wanted}: {error.strerror}"
            raise LocalStackError(message) from None
        port: int = probe.getsockname()[1]
        return port
