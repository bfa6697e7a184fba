"""The broker and the database of one stack: embedded, or running elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coordinator.local.keeper import Keeper
from coordinator.local.postgres import Postgres
from coordinator.local.starting import finish, start_server
from coordinator.local.unprivileged import check_reachable, own_folder, server_user
from coordinator.local.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coordinator.local.children import Child, Children
    from coordinator.local.messages import Boot
    from coordinator.local.paths import StackPaths
    from coordinator.local.unprivileged import ServerUser

    Start = Callable[[], Awaitable[Child]]
    Say = Callable[[str], None]


class Servers:
    """Starts each server when it is first needed, then keeps it alive."""

    def __init__(
        self,
        boot: Boot,
        paths: StackPaths,
        children: Children,
        notice: Say,
        without_roles: Callable[[Start], Awaitable[Child]],
    ) -> None:
        """Prepare.

        Args:
            boot: which servers run elsewhere.
            paths: the stack's files.
            children: starts processes.
            notice: told when a server is given up.
            without_roles: runs the start of a new broker while no role lives.
        """
        #: Where the broker is; None while it is not up.
        self.broker_url = boot.broker_url
        #: Where the database is; None while it is not up.
        self.database_url = boot.database_url
        self._paths = paths
        self._children = children
        self._notice = notice
        self._without_roles = without_roles

    async def need(self, say: Say, *, broker: bool) -> None:
        """Bring up the database, and the broker as well if asked for.

        Raises:
            LocalStackError: one cannot be started.
            DataDirectoryError: the servers' user cannot reach the data directory.
        """
        need_broker = broker and self.broker_url is None
        if self.database_url is not None and not need_broker:
            return
        user = self._prepared()
        # Binaries are found before anything is started, so that one that lacks is told at once.
        valkey = Valkey(self._paths, user) if need_broker else None
        starts = []
        if self.database_url is None:
            starts.append(self._start_database(Postgres(self._paths, user), say))
        if valkey is not None:
            starts.append(self._start_broker(valkey, say))
        for result in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _prepared(self) -> ServerUser | None:
        """Make the folder of the sockets; return the user who owns it."""
        user = server_user()
        if user is not None:
            check_reachable(self._paths.data, user)
            check_reachable(self._paths.private, user)
        own_folder(self._paths.sockets, user)
        return user

    async def _start_database(self, server: Postgres, say: Say) -> None:
        if server.new:
            say("creating the database")
            failure = f"the database could not be created in {self._paths.postgres}"
            await finish(server.creation(), self._children, self._paths.logs, failure)
            server.adopt()
        say("starting the database")

        async def start() -> Child:
            return await start_server(server, self._children, self._paths.logs)

        def give_up(why: str) -> None:
            self.database_url = None
            self._notice(why)

        Keeper(self._children, start, give_up).keep(await start())
        self.database_url = server.url

    async def _start_broker(self, server: Valkey, say: Say) -> None:
        say("starting the broker")

        async def start() -> Child:
            child = await start_server(server, self._children, self._paths.logs)
            # No worker lives, so every message and every half-counted chord is void. The
            # coordinator publishes what is open anew, from the ledger; anything that stayed
            # here would be done twice, or wait a day for a worker that is gone.
            server.flush()
            return child

        async def start_again() -> Child:
            return await self._without_roles(start)

        def give_up(why: str) -> None:
            self.broker_url = None
            self._notice(why)

        Keeper(self._children, start_again, give_up).keep(await start())
        self.broker_url = server.url
