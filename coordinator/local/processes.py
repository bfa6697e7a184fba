"""Tells processes apart, however often their numbers are used again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

#: Seconds between two looks at a process that is not our child.
LOOK_SECONDS = 0.02

_HAS_PROC = Path("/proc/self/stat").exists()


def identity(pid: int) -> str | None:
    """Return what no other process had or will have; None when there is no live process.

    On Linux it is the boot's id with the start in clock ticks: psutil's `create_time` moves
    when the wall clock is set. A zombie is not alive.
    """
    if _HAS_PROC:
        try:
            # The name in parentheses may hold anything; the state is the first field after it.
            _, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = rest.split()
        return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None


def session_members(leader: int) -> list[int]:
    """Return the live processes of the session that `leader` began, itself among them."""
    return [pid for pid in psutil.pids() if _session(pid) == leader and identity(pid)]


def kill_session(leader: int) -> bool:
    """Send SIGKILL to what is left of a session; return whether there was anything."""
    members = session_members(leader)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(members)


def wait_gone(pids: dict[int, str], seconds: float) -> dict[int, str]:
    """Wait until the processes have ended; return those that had not after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        left = {pid: mark for pid, mark in pids.items() if identity(pid) == mark}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(LOOK_SECONDS)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
