"""A child that the system killed for its memory is told from one that died otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from billiard.exceptions import WorkerLostError

from engine_workers.lost import loss
from engine_workers.oom import MemoryKills, memory_kills
from schemas.runs import FailureKind

if TYPE_CHECKING:
    from pathlib import Path

KILLED = WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 5.")
ABORTED = WorkerLostError("Worker exited prematurely: signal 6 (SIGABRT) Job: 5.")


class System:
    """A system's own account of itself, in files."""

    def __init__(self, folder: Path) -> None:
        """Begin without any account."""
        self.cgroups, self.proc = folder / "cgroup", folder / "proc"
        self.write(self.proc / "self" / "cgroup", "12:cpu,cpuacct:/a\n9:memory:/a/b\n0::/a/b/c\n")

    def write(self, path: Path, text: str) -> None:
        """Let a file say this."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def count(self) -> int | None:
        """Return what we read of it."""
        return memory_kills(self.cgroups, self.proc)

    def kills(self, number: int) -> None:
        """Let the control group count so many."""
        text = f"low 0\nhigh 0\nmax 7\noom 7\noom_kill {number}\noom_group_kill 0\n"
        self.write(self.cgroups / "a" / "b" / "c" / "memory.events", text)


@pytest.fixture
def system(tmp_path: Path) -> System:
    """Return one that counts nothing."""
    return System(tmp_path)


def test_the_narrowest_count_is_read(system: System) -> None:
    assert system.count() is None
    system.write(system.proc / "vmstat", "nr_free_pages 7\noom_kill 30\nswap_ra 1\n")
    assert system.count() == 30
    old = "oom_kill_disable 0\nunder_oom 0\noom_kill 20\n"
    system.write(system.cgroups / "memory" / "a" / "b" / "memory.oom_control", old)
    assert system.count() == 20
    system.write(system.proc / "self" / "cgroup", "0::/a/b/c\n")
    system.kills(10)
    assert system.count() == 10


def test_a_kill_explains_one_death_by_that_signal(system: System) -> None:
    system.kills(3)
    kills = MemoryKills(system.cgroups, system.proc)
    assert loss(KILLED, kills).kind is FailureKind.WORKER_LOST
    system.kills(4)
    assert loss(ABORTED, kills).kind is FailureKind.WORKER_LOST
    assert loss(KILLED, kills).kind is FailureKind.OUT_OF_MEMORY
    lost = loss(KILLED, kills)
    assert lost.kind is FailureKind.WORKER_LOST
    assert "signal 9 (SIGKILL)" in lost.message


def test_a_system_that_does_not_count_explains_nothing(system: System) -> None:
    kills = MemoryKills(system.cgroups, system.proc)
    system.kills(5)
    assert not kills.explain_one()
