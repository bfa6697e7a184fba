"""Finds the stack that runs on a data directory, or starts one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from coordinator.errors import LocalStackError, StackLostError
from coordinator.local.connection import Connection
from coordinator.local.launch import log_file
from coordinator.local.paths import make_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.local.messages import Boot
    from coordinator.local.paths import StackPaths

#: Seconds to wait for a stack that holds the lock and does not answer: it is ending.
ENDING_TIMEOUT_SECONDS = 60.0
#: Seconds after which the user is told what we wait for.
TELL_SECONDS = 0.5
#: Seconds between two tries.
RETRY_SECONDS = 0.02

#: Supervisors that we started. Kept, so that their exit status is taken sooner or later.
_started: list[subprocess.Popen[bytes]] = []


def connect(
    paths: StackPaths, boot: Boot, on_status: Callable[[str], None]
) -> tuple[Connection, bool]:
    """Return a connection to the stack, and whether the stack was there already.

    Whoever holds the lock has a stack or ends one; the lock goes from the starter to the
    supervisor, so that two starters never start two.

    Raises:
        LocalStackError: somebody holds the lock and does not answer.
        DataDirectoryError: the data directory cannot be used.
    """
    make_folders(paths)
    began = time.monotonic()
    told = False
    while (waited := time.monotonic() - began) < ENDING_TIMEOUT_SECONDS:
        connected = _connected(paths)
        if connected is not None:
            return Connection(connected), True
        lock = locked(paths)
        if lock is not None:
            return Connection(_start(paths, boot, lock)), False
        if not told and waited > TELL_SECONDS:
            on_status("waiting for the stack before this one to end")
            told = True
        time.sleep(RETRY_SECONDS)
    message = (
        f"the stack of {paths.data} has been ending for {ENDING_TIMEOUT_SECONDS:.0f} s; "
        f"see {paths.logs / 'supervisor.log'}"
    )
    raise LocalStackError(message)


def locked(paths: StackPaths) -> int | None:
    """Return a file descriptor that holds the stack's lock; None when another one does."""
    lock = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def reap() -> None:
    """Take the exit status of the supervisors that have ended."""
    _started[:] = [process for process in _started if process.poll() is None]


def _connected(paths: StackPaths) -> socket.socket | None:
    found = socket.socket(socket.AF_UNIX)
    try:
        found.connect(str(paths.control))
    except (FileNotFoundError, ConnectionRefusedError):
        found.close()
        return None
    return found


def _start(paths: StackPaths, boot: Boot, lock: int) -> socket.socket:
    """Start a supervisor that owns `lock`, and that ends with the connection returned."""
    make_folders(paths)  # the supervisor before ours may have removed some at its end
    ours, theirs = socket.socketpair()
    module = "coordinator.local.supervisor"
    reap()
    try:
        with theirs, log_file(paths.logs, "supervisor").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  # our own module
                [sys.executable, "-P", "-m", module, str(lock), str(paths.data)],
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
            )
    finally:
        os.close(lock)
    _started.append(process)
    with contextlib.suppress(StackLostError):  # the first need will tell
        Connection(ours).send(asdict(boot))
    return ours
