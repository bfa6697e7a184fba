"""Keeps one process alive."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

from schemas.errors import ChordscribeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coordinator.local.children import Child, Children

#: Seconds before a crashed process is started again; doubled with every crash, to the second.
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 10.0
#: So many crashes within so many seconds, and the process is given up.
MAX_CRASHES, CRASH_WINDOW_SECONDS = 5, 300.0


class Keeper:
    """Starts a process again, a little later each time, until it crashes too often."""

    def __init__(
        self,
        children: Children,
        start: Callable[[], Awaitable[Child]],
        give_up: Callable[[str], None],
    ) -> None:
        """Prepare to keep what `start` starts; `give_up` is told why it is kept no longer."""
        self._children = children
        self._start = start
        self._give_up = give_up
        self._crashes: deque[float] = deque(maxlen=MAX_CRASHES)
        self._task: asyncio.Task[None] | None = None

    def keep(self, child: Child) -> None:
        """Watch over a process that was just started."""
        self._child = child
        self._task = asyncio.create_task(self._watch())

    async def let_go(self) -> Child:
        """Stop watching; return the process as it is now."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        return self._child

    async def _watch(self) -> None:
        while True:
            status = await asyncio.shield(self._child.ended)
            if self._children.closing:
                return
            name = self._child.command.name
            print(f"{name} ended with status {status}", flush=True)
            await self._children.stop([self._child])  # what it left in its session
            if not await self._start_again(name):
                return

    async def _start_again(self, name: str) -> bool:
        while True:
            self._crashes.append(time.monotonic())
            recent = [at for at in self._crashes if at > self._crashes[-1] - CRASH_WINDOW_SECONDS]
            if len(recent) == MAX_CRASHES:
                self._give_up(f"{name} ended {MAX_CRASHES} times in a row and is given up")
                return False
            delay = FIRST_RETRY_SECONDS * 2 ** (len(recent) - 1)
            await asyncio.sleep(min(delay, LAST_RETRY_SECONDS))
            try:
                self._child = await self._start()
            except (ChordscribeError, OSError) as error:
                print(f"{name} could not be started again: {error}", flush=True)
            else:
                return True
