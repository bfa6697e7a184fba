"""The supervisor's child processes: started, reaped, recorded, ended."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from coordinator.errors import StackEndingError
from coordinator.local import record
from coordinator.local.launch import launch
from coordinator.local.processes import identity, kill_session, session_members

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Container, Iterable

    from coordinator.local.commands import Command
    from coordinator.local.paths import StackPaths

#: Seconds that the kernel gets to end what was killed.
KILL_SECONDS = 5.0
#: Seconds between two looks at a killed session, whose members are not all our children.
LOOK_SECONDS = 0.01


class Child:
    """A process with a future that holds its exit status once it has ended."""

    def __init__(self, command: Command, process: subprocess.Popen[bytes]) -> None:
        """Describe a process that was just started."""
        self.command = command
        self.pid = process.pid
        self.identity = identity(process.pid) or ""
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._process = process

    def reap(self) -> None:
        """Take the exit status if there is one."""
        status = self._process.poll()
        if status is not None and not self.ended.done():
            self.ended.set_result(status)

    def ask_to_end(self) -> None:
        """Send its stop signal."""
        self._process.send_signal(self.command.stop_signal)


class Children:
    """All of them. One object a process: it takes SIGCHLD for itself."""

    def __init__(self, paths: StackPaths) -> None:
        """Begin to reap."""
        self._paths = paths
        #: Those that `stop` has not seen the end of; what one left in its session may live.
        self._kept: list[Child] = []
        #: Whether everything is being ended, so that nothing is started again.
        self.closing = False
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def start(self, command: Command) -> Child:
        """Start a process.

        Raises:
            OSError: its program cannot be executed.
            StackEndingError: everything is being ended.
        """
        if self.closing:
            raise StackEndingError
        child = Child(command, launch(command, self._paths.logs))
        self._kept.append(child)
        self._record()
        return child

    def alive(self) -> set[str]:
        """Return the names of the processes that have not ended."""
        return {child.command.name for child in self._kept if not child.ended.done()}

    async def stop(self, children: Iterable[Child], idle: Container[str] = ()) -> None:
        """End processes with their sessions: in order first, by force after their grace.

        Call it for one that ended by itself as well: its session may not have. Those with a name
        in `idle` are killed at once.
        """
        await asyncio.gather(*(self._stop(child, idle) for child in children))

    def close(self, names: Container[str]) -> None:
        """Start nothing more; ask the processes of these names to end."""
        self.closing = True
        for child in self._kept:
            child.reap()
            if child.command.name in names and not child.ended.done():
                child.ask_to_end()

    async def stop_all(self, idle: Container[str] = ()) -> None:
        """End every process: first those that use the servers, then the servers."""
        self.closing = True
        await self.stop([child for child in self._kept if not child.command.serves], idle)
        await self.stop(list(self._kept))

    async def _stop(self, child: Child, idle: Container[str]) -> None:
        child.reap()
        if not child.ended.done() and child.command.name not in idle:
            child.ask_to_end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(child.command.grace_seconds):
                    await asyncio.shield(child.ended)
        number_is_ours = identity(child.pid) in {None, child.identity}
        if number_is_ours and kill_session(child.pid):
            await self._until_gone(child)
        self._kept = [other for other in self._kept if other is not child]
        self._record()

    async def _until_gone(self, child: Child) -> None:
        """Wait for what was killed, of which only the leader is our child."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await asyncio.shield(child.ended)
                while session_members(child.pid):  # noqa: ASYNC110  # nothing tells of their end
                    await asyncio.sleep(LOOK_SECONDS)

    def _reap(self) -> None:
        for child in self._kept:
            child.reap()

    def _record(self) -> None:
        record.save(
            self._paths.record,
            [
                record.Recorded(
                    child.command.name,
                    child.pid,
                    child.identity,
                    int(child.command.stop_signal),
                    child.command.serves,
                )
                for child in self._kept
            ],
        )
