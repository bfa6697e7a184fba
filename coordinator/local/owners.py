"""Hears the clients of a stack, who own it as long as they stay connected."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from coordinator.errors import StackEndingError
from coordinator.local.messages import Need
from coordinator.local.wire import decode, encode
from schemas.errors import ChordscribeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coordinator.local.messages import Ready
    from coordinator.local.wire import Message

    Ensure = Callable[[Need, Callable[[str], None]], Awaitable[Ready]]


class Owners:
    """The connections that are open; when the last one closes, `gone` is set."""

    #: Answers a need; set before the first client is heard.
    ensure: Ensure

    def __init__(self) -> None:
        """Begin without clients."""
        self.gone = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        #: The last to leave reads until our end, so that it knows when everything has stopped.
        self._staying: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one client until it leaves or is gone."""
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError, ValueError):
                while (line := await reader.readline()) and "need" in (message := decode(line)):
                    # A task of its own, so that we see at once when the client is gone.
                    task = asyncio.create_task(self._answer(message["need"], writer))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        finally:
            self._open.discard(writer)
            last = not self._open
            _send(writer, {"left": last, "pid": os.getpid()})
            if last:
                self._staying.append(writer)
                self.gone.set()
            else:
                writer.close()

    def notice(self, text: str) -> None:
        """Tell all clients something that none of them asked for."""
        print(text, flush=True)
        for writer in self._open:
            _send(writer, {"notice": text})

    async def _answer(self, fields: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """Do what a client needs, then tell it."""
        try:
            if self.gone.is_set():
                raise StackEndingError
            ready = await self.ensure(
                Need.from_wire(fields), lambda text: _send(writer, {"status": text})
            )
        except (ChordscribeError, OSError) as error:
            print(f"a client's need failed: {error}", flush=True)
            _send(writer, {"error": str(error), "kind": type(error).__name__})
        else:
            _send(writer, {"ready": asdict(ready)})


def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    if not writer.is_closing():
        writer.write(encode(message))
