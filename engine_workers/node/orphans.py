"""Ends a worker whose supervisor was killed, when it has not ended by itself."""

from __future__ import annotations

import time

from engine_workers.node.processes import identity, kill_session, members

#: Seconds that the system gets to end what was killed, and between two looks.
KILL_SECONDS, LOOK_SECONDS = 5.0, 0.02


def end_orphan(pid: int, mark: str | None) -> bool:
    """End the session that a process leads, if it is still the one with this identity.

    Its leader may be dead and its children alive: a session's number is not given to others
    meanwhile. Return whether there was anything to end.
    """
    now = identity(pid)
    if now is not None and now != mark:
        return False  # another process has the number by now
    if not members(pid):
        return False
    kill_session(pid)
    give_up = time.monotonic() + KILL_SECONDS
    while members(pid) and time.monotonic() < give_up:
        time.sleep(LOOK_SECONDS)
    return True
