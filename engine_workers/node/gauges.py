"""Reads what pools and their machine use of memory and processor."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

#: The limit that a container has, and what it uses, in bytes.
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Usage:
    """What the processes of a pool use."""

    #: Bytes by process; memory that processes share is counted in parts.
    memory: dict[int, int]
    #: Seconds of the processor, since their start.
    cpu: float

    @property
    def total(self) -> int:
        """The bytes of all."""
        return sum(self.memory.values())


def usage(leader: int) -> Usage:
    """Return what a process and all its children use."""
    memory: dict[int, int] = {}
    cpu = 0.0
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(leader)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                memory[process.pid] = _memory(process)
                times = process.cpu_times()
                cpu += times.user + times.system
    return Usage(memory, cpu)


def free_memory(cgroup: Path = CGROUP) -> int:
    """Return the bytes that this machine, or this container, has free."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no container, or one without a limit
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text()) - _cache(cgroup)
        return max(0, min(free, limit - used))
    return free


def _cache(cgroup: Path) -> int:
    """Return the bytes that the kernel would give up."""
    for line in (cgroup / "memory.stat").read_text().splitlines():
        name, _, count = line.partition(" ")
        if name == "inactive_file":
            return int(count)
    return 0


def cores() -> int:
    """Return the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):  # not ours, or not on Linux
        return int(process.memory_info().rss)
