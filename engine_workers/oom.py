"""Knows how often the system killed a process because memory had run out."""

from __future__ import annotations

import os
from pathlib import Path

#: Where Linux shows its control groups and itself.
CGROUPS, PROC = Path("/sys/fs/cgroup"), Path("/proc")
#: Names a file with a line `oom_kill PID` for each process that the supervisor of a pool ended,
#: since it had more memory than it may.
KILLS_VARIABLE = "CHORDSCRIBE_POOL_MEMORY_KILLS"


def memory_kills(cgroups: Path = CGROUPS, proc: Path = PROC) -> int | None:
    """Return how many processes of our control group, else of this machine, were killed for memory.

    None where the system does not count them.
    """
    for path in _counters(cgroups, proc):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, count = line.partition(" ")
            if name == "oom_kill" and count.strip().isdigit():
                return int(count)
    return None


class MemoryKills:
    """Tells whether a death that was just seen may have been one of these."""

    def __init__(self, cgroups: Path = CGROUPS, proc: Path = PROC) -> None:
        """Begin to count from now on."""
        self._cgroups, self._proc = cgroups, proc
        self._known = memory_kills(cgroups, proc)
        self._ours = supervisor_kills()

    def explain_one(self) -> bool:
        """Return whether there was one that explains no earlier death."""
        ours = supervisor_kills()
        if ours > self._ours:
            self._ours += 1
            return True
        now = memory_kills(self._cgroups, self._proc)
        if now is None or self._known is None or now <= self._known:
            return False
        self._known += 1
        return True


def supervisor_kills() -> int:
    """Return how many processes of this pool its supervisor has ended for their memory."""
    try:
        return len(Path(os.environ[KILLS_VARIABLE]).read_text().splitlines())
    except (KeyError, OSError):
        return 0


def _counters(cgroups: Path, proc: Path) -> list[Path]:
    """Return the files that may hold the count, the narrowest first."""
    found: list[Path] = []
    try:
        groups = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        groups = []
    for line in groups:
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            found.append(cgroups / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            found.append(cgroups / "memory" / path.lstrip("/") / "memory.oom_control")
    return [*found, proc / "vmstat"]
