"""Tells processes apart, however often their numbers are used again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

import psutil

#: `prctl` option: orphans below this process become its children (<linux/prctl.h>).
PR_SET_CHILD_SUBREAPER = 36

_HAS_PROC = Path("/proc/self/stat").exists()


def identity(pid: int) -> str | None:
    """Return what no other process had or will have; None when there is no live process.

    On Linux it is the boot's id with the start in clock ticks: psutil's `create_time` moves when
    the wall clock is set. A zombie is not alive.
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


def members(leader: int) -> list[int]:
    """Return the live processes of the session that `leader` began, itself among them."""
    return [pid for pid in psutil.pids() if _session(pid) == leader and identity(pid)]


def kill_session(leader: int) -> None:
    """Send SIGKILL to what is left of a session."""
    for pid in members(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of what a dead worker leaves, where the system can do so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def reap_orphans(known: set[int]) -> None:
    """Take the exit status of ended children that nobody else waits for.

    Args:
        known: the children that somebody does wait for.
    """
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.pid not in known and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
