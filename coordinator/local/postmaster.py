"""Clears the `postmaster.pid` that a killed Postgres left."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that a leftover server gets to end in order.
GRACE_SECONDS = 10.0


def clear_stale_pid(data: Path) -> None:
    """End the server that still works on `data`, if there is one, then remove its pid file.

    Call it only under the stack's lock. Postgres replaces a stale file by itself, except when
    it is empty or cut off, or its number now belongs to another process of the same user.
    """
    file = data / "postmaster.pid"
    try:
        words = file.read_text(errors="replace").split(maxsplit=1)
    except FileNotFoundError:
        return
    if words and words[0].isdigit():
        _end_postgres(int(words[0]), data)
    file.unlink(missing_ok=True)


def _end_postgres(pid: int, data: Path) -> None:
    try:
        process = psutil.Process(pid)
        if str(data) not in process.cmdline():
            return
        backends = process.children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs([process], timeout=GRACE_SECONDS)
        for one in (*alive, *(backends if alive else ())):
            one.kill()
        psutil.wait_procs([*alive, *backends], timeout=GRACE_SECONDS)
    except psutil.NoSuchProcess:
        return
