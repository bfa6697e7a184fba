"""Starts one process of the stack."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coordinator.local.commands import Command

#: A log that is larger than this many bytes at a start becomes `.1`; the older `.1` goes.
MAX_LOG_BYTES = 4 * 2**20
#: `prctl` option: the signal that the kernel sends when our parent ends (<linux/prctl.h>).
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def launch(command: Command, logs: Path) -> subprocess.Popen[bytes]:
    """Start `command` as the leader of its own session, its output going to a file in `logs`.

    On Linux the kernel asks it to end when we die without having been able to ask ourselves.
    Elsewhere such an orphan lives until the next start, which ends what `record.py` kept.

    Call it from the main thread of a process that has no other threads: the kernel's promise
    is bound to the thread, and the child runs a line of Python between fork and exec.

    Raises:
        OSError: the program cannot be executed.
    """
    options = command.user.popen_options() if command.user else {}
    with log_file(logs, command.name).open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # our own command lines
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=command.env,
            cwd=command.cwd,
            start_new_session=True,
            preexec_fn=_end_with_parent(command),  # noqa: PLW1509  # see above: one thread
            **options,
        )


def log_file(logs: Path, name: str) -> Path:
    """Return the log of the process `name`, moved aside before when it had grown large."""
    log = logs / f"{name}.log"
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(logs / f"{name}.log.1")
    return log


def log_tail(logs: Path, name: str, lines: int = 5) -> str:
    """Return the last lines of a process's log."""
    try:
        text = (logs / f"{name}.log").read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _end_with_parent(command: Command) -> Callable[[], None] | None:
    if _libc is None:
        return None
    prctl, number = _libc.prctl, int(command.stop_signal)

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, number)

    return ask_kernel
