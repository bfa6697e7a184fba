"""Runs what has to be done before the stack is ready."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from coordinator.errors import LocalStackError
from coordinator.local.launch import log_tail

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.local.children import Child, Children
    from coordinator.local.commands import Command

#: Seconds that a server may take; Postgres reads its log again after a crash.
START_TIMEOUT_SECONDS = 60.0
#: Seconds between two questions whether it answers.
ASK_SECONDS = 0.01


class Server(Protocol):
    """The broker or the database."""

    def prepare(self) -> None:
        """Make its files; clear what a killed one left."""

    def command(self) -> Command:
        """Return its command line."""

    def answers(self) -> bool:
        """Whether it takes commands."""


async def finish(command: Command, children: Children, logs: Path, failure: str) -> None:
    """Run a command to its end.

    Raises:
        LocalStackError: it failed; the message is `failure` with the last it said.
    """
    child = children.start(command)
    status = await child.ended
    await children.stop([child])
    if status != 0:
        message = f"{failure}: {log_tail(logs, command.name, lines=1)}"
        raise LocalStackError(message)


async def start_server(server: Server, children: Children, logs: Path) -> Child:
    """Start a server; return its process once it answers.

    Raises:
        LocalStackError: it ended, or did not answer in time; the message ends with its log.
    """
    server.prepare()
    command = server.command()
    child = children.start(command)
    try:
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            while not server.answers():
                if child.ended.done():
                    await children.stop([child])
                    message = f"{command.name} ended at its start: {log_tail(logs, command.name)}"
                    raise LocalStackError(message)
                await asyncio.sleep(ASK_SECONDS)
    except TimeoutError:
        await children.stop([child])
        message = f"{command.name} did not answer in {START_TIMEOUT_SECONDS:.0f} s: see {logs}"
        raise LocalStackError(message) from None
    return child
