"""How a client gives the stack up, and waits for its end when it was the last."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from coordinator.errors import StackLostError
from coordinator.local.leftovers import end_leftovers
from coordinator.local.processes import identity, wait_gone
from coordinator.local.starter import locked, reap

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.local.connection import Connection
    from coordinator.local.paths import StackPaths

#: Seconds to wait for the stack to end; it goes on ending without us after that.
END_TIMEOUT_SECONDS = 15.0
#: Seconds after which the user is told what we wait for.
TELL_SECONDS = 0.7
#: Seconds that a process lives after the kernel has closed its files.
LAST_BREATH_SECONDS = 1.0
#: Seconds to wait for the lock of a stack whose supervisor was killed.
LOCK_TIMEOUT_SECONDS = 1.0
#: Seconds between two tries at it.
RETRY_SECONDS = 0.02


def leave(connection: Connection, paths: StackPaths, on_status: Callable[[str], None]) -> None:
    """Close a connection in order; whatever happens, the stack does not outlive its owners."""
    try:
        connection.send({"leave": True})
        supervisor = _left_last(connection)
        if supervisor is not None:
            _wait_end(connection, supervisor, on_status)
    except StackLostError:
        _clear(paths)
    finally:
        connection.close()
        reap()


def _left_last(connection: Connection) -> int | None:
    """Return the supervisor's process id if it ends now, as we were the last to leave."""
    deadline = time.monotonic() + END_TIMEOUT_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        message = connection.receive(left) or {}
        if "left" in message:
            return int(message["pid"]) if message["left"] else None
    return None


def _wait_end(connection: Connection, pid: int, on_status: Callable[[str], None]) -> None:
    """Wait until the supervisor's end closes the connection."""
    supervisor = {pid: identity(pid) or ""}
    try:
        connection.receive(TELL_SECONDS)
        on_status("stopping")
        connection.receive(END_TIMEOUT_SECONDS - TELL_SECONDS)
    except StackLostError:
        wait_gone(supervisor, LAST_BREATH_SECONDS)


def _clear(paths: StackPaths) -> None:
    """End what a killed supervisor left, unless a new one is already doing so."""
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        lock = locked(paths)
        if lock is not None:
            end_leftovers(paths.record)
            os.close(lock)
            return
        time.sleep(RETRY_SECONDS)
