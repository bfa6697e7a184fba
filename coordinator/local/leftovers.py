"""Ends what a killed supervisor left running."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from coordinator.local.processes import identity, kill_session, wait_gone
from coordinator.local.record import Recorded, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Seconds that leftovers get to end in order; they may have begun to end already.
GRACE_SECONDS = 3.0
#: Seconds that the kernel gets to end what was killed.
KILL_SECONDS = 5.0


def end_leftovers(file: Path) -> list[str]:
    """End every process in the record `file`, then remove it; return their names.

    Call it only under the stack's lock: then whatever is recorded has no owner.
    """
    recorded = load(file)
    ended = [
        *_end([process for process in recorded if not process.serves]),
        *_end([process for process in recorded if process.serves]),
    ]
    file.unlink(missing_ok=True)
    return ended


def _end(recorded: Sequence[Recorded]) -> list[str]:
    alive = {one.pid: one.identity for one in recorded if identity(one.pid) == one.identity}
    for process in recorded:
        if process.pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, process.stop_signal)
    wait_gone(alive, GRACE_SECONDS)
    ended = [
        process.name
        for process in recorded
        if (process.pid in alive or _left_without_leader(process)) and kill_session(process.pid)
    ]
    wait_gone(alive, KILL_SECONDS)
    return sorted({*ended, *(process.name for process in recorded if process.pid in alive)})


def _left_without_leader(process: Recorded) -> bool:
    """Whether what is in the session `process.pid` must descend from the recorded process.

    The kernel does not give a number away while a session of that number has members. So in the
    same boot, while no process has the number, nobody else can have begun a session of it.
    """
    boot, colon, _ = process.identity.rpartition(":")
    mine = identity(os.getpid()) or ""
    return identity(process.pid) is None and bool(colon) and mine.startswith(f"{boot}:")
