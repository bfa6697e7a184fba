"""Embedded stacks with stand-ins for their roles, and a look at what runs of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from coordinator.local.stack import RunningStack, running
from schemas.database import Database
from schemas.errors import LedgerError
from tests.conftest import own_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Seconds within which anything here has to happen.
PATIENCE_SECONDS = 20
#: A role with a child of its own, as a worker with its pool; the role's name is its last word.
STAND_IN = ("/bin/sh", "-c", "sleep 600 & wait")
ROLES: Mapping[str, Sequence[str]] = {
    "coordinator": (*STAND_IN, "coordinator"),
    "aggregation": (*STAND_IN, "aggregation"),
    "engine": (*STAND_IN, "engine-{engine}"),
    "flower": (*STAND_IN, "flower"),
}
#: A client that says whether it found a stack, then waits to be ended.
OWNER = """
import json, sys
from pathlib import Path
from coordinator.local.stack import running
from schemas.settings import load_settings
settings = load_settings(
    _env_file=None, broker_url=None, database_url=None, data_dir=Path(sys.argv[1])
)
with running(settings, **json.loads(sys.argv[2])) as stack:
    print("found" if stack.reused else "started", flush=True)
    sys.stdin.read()
"""


@contextmanager
def stack_of(
    data_dir: Path,
    *,
    engines: Sequence[str] = (),
    work: bool = True,
    broker: bool = False,
    roles: Mapping[str, Sequence[str]] = ROLES,
    on_status: Callable[[str], None] | None = None,
) -> Iterator[RunningStack]:
    """Run a stack with stand-ins in `data_dir`."""
    with running(
        own_settings(data_dir),
        engines=engines,
        work=work,
        broker=broker,
        roles=roles,
        on_status=on_status,
    ) as stack:
        yield stack


class Owner:
    """Another process that owns a stack."""

    def __init__(self, data_dir: Path, engines: Sequence[str] = ()) -> None:
        """Start it; `wait_ready` tells when its stack runs."""
        need = json.dumps({"engines": engines, "roles": ROLES})
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(data_dir), need],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> str:
        """Return `started` or `found`."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as the kernel would when memory is short."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_SECONDS)

    def leave(self) -> None:
        """End it in order."""
        self.process.communicate("", timeout=PATIENCE_SECONDS)


def ledger_is_ready(stack: RunningStack) -> bool:
    """Whether the stack's database answers, with the present schema."""
    database = Database(stack.settings)
    try:
        database.check_schema()
    except LedgerError:
        return False
    finally:
        database.dispose()
    return True


def processes(data_dir: Path, word: str = "") -> list[psutil.Process]:
    """Return the live processes of the stack in `data_dir` with `word` in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            ours = str(data_dir) in f"{command} {process.environ().get('CHORDSCRIBE_DATA_DIR')}"
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if ours and word in command:
            found.append(process)
    return found


def leaders(data_dir: Path) -> set[int]:
    """Return the numbers of the stack's own processes, without the children of each."""
    found = [process.pid for process in processes(data_dir)]
    return {pid for pid in found if psutil.pid_exists(pid) and os.getsid(pid) == pid}


def only(data_dir: Path, word: str) -> psutil.Process:
    """Return the one process of the stack with `word` in its command line.

    A shell that is just about to run something else shows its own command line twice.
    """
    until(lambda: len(processes(data_dir, word)) == 1)
    return processes(data_dir, word)[0]


def wait_ended(ended: Sequence[psutil.Process]) -> None:
    """Wait until the processes have ended."""
    until(lambda: not any(lives(process) for process in ended))


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended; a zombie has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that nothing announces."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
