"""Named points in a process under test, at which a test lets it die, hang, fail or wait.

The process asks at each point for an order: a file that the test put into a shared folder. It
takes the file by renaming it, so that an order is carried out once, whoever comes by first.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

#: Names the folder of the orders.
VARIABLE = "CHAOS_POINTS"
#: The points of an engine's worker, in the order in which a run comes by them.
RUN_POINTS = (
    "before_claim",
    "after_claim",
    "mid_decode",
    "mid_infer",
    "before_save",
    "after_save_before_return",
    "after_return_before_ack",
)
#: The most that `bloat` takes, in bytes, where nothing stops it, and at a time.
MOST_BYTES, BLOCK_BYTES = 8 << 30, 64 << 20
#: Seconds that a hung native call lasts.
HANG_SECONDS = 600
#: The pipe of the reports; it holds some five hundred that were not heard yet.
_REPORTS = "reached"


class ChaosError(Exception):
    """A test told this process to fail here."""


def reach(point: str, job: str = "", child: int | None = None) -> None:
    """Carry out the order that waits at `point`, for `job` or for anyone; usually there is none.

    Args:
        point: where this process is.
        job: the id of the job that it works on.
        child: the process to kill where the order says "child"; None: this one.
    """
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return
    for name in (f"{point}@{job}", f"{point}@"):
        try:
            action = _take(Path(folder), name)
        except FileNotFoundError:
            continue
        if action == "wait":
            _wait(Path(folder), point, job)
            return
        _report(Path(folder), point, job)
        _ACTIONS[action](child or os.getpid())
        return


def _take(folder: Path, name: str) -> str:
    """Return the order under `name`; whoever renames the file has it alone.

    An order that is to be carried out more often is put back with one time less.
    """
    taken = folder / f"taken-{name}-{os.getpid()}-{time.monotonic_ns()}"
    (folder / name).rename(taken)
    action, _, times = taken.read_text().partition("*")
    if int(times or 1) > 1:
        _give(folder, name, f"{action}*{int(times) - 1}")
    return action


def _give(folder: Path, name: str, order: str) -> None:
    aside = folder / f"new-{os.getpid()}-{time.monotonic_ns()}"
    aside.write_text(order)
    aside.rename(folder / name)


def _report(folder: Path, point: str, job: str) -> None:
    message = {"point": point, "job": job, "pid": os.getpid(), "at": time.time()}
    reports = os.open(folder / _REPORTS, os.O_WRONLY)
    os.write(reports, json.dumps(message).encode() + b"\n")  # in one piece: it is short
    os.close(reports)


def _wait(folder: Path, point: str, job: str) -> None:
    """Block until the test writes into this process's pipe."""
    pipe = folder / f"go-{os.getpid()}"
    os.mkfifo(pipe)
    handle = os.open(pipe, os.O_RDWR)  # both ends: opening does not wait for the test
    try:
        _report(folder, point, job)
        os.read(handle, 1)
    finally:
        os.close(handle)
        pipe.unlink()


def _kill_child(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _kill_worker(_pid: int) -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _hang(_pid: int) -> None:
    """Stay in native code that ignores Python's signals but lets other threads run."""
    native = ctypes.CDLL(None)
    until = time.monotonic() + HANG_SECONDS
    while time.monotonic() < until:
        native.sleep(HANG_SECONDS)


def _hang_with_lock(_pid: int) -> None:
    """Stay in native code that lets no other thread run either."""
    ctypes.PyDLL(None).sleep(HANG_SECONDS)


def _raise(_pid: int) -> NoReturn:
    raise ChaosError


def _bloat(_pid: int) -> None:
    """Take memory until there is no more of it."""
    held: list[bytearray] = []
    while len(held) * BLOCK_BYTES < MOST_BYTES:
        held.append(bytearray(BLOCK_BYTES))


_ACTIONS: dict[str, Callable[[int], None]] = {
    "kill_child": _kill_child,
    "kill_worker": _kill_worker,
    "hang": _hang,
    "hang_with_lock": _hang_with_lock,
    "raise": _raise,
    "bloat": _bloat,
    "pass": lambda _pid: None,
}


@dataclass(frozen=True)
class Reached:
    """A process carried an order out."""

    point: str
    job: str
    pid: int
    #: Unix time in seconds.
    at: float


class Points:
    """The test's end: gives orders, hears when they are carried out."""

    def __init__(self, folder: Path) -> None:
        """Make the folder of the orders."""
        folder.mkdir()
        self.folder = folder
        os.mkfifo(folder / _REPORTS)
        self._reports = os.open(folder / _REPORTS, os.O_RDWR | os.O_NONBLOCK)
        self._unread = b""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hear nothing more."""
        os.close(self._reports)

    def arm(self, point: str, action: str, job: object = "", times: int = 1) -> None:
        """Give an order, for whoever comes by or for the worker of one job, so many times."""
        _give(self.folder, f"{point}@{job}", f"{action}*{times}")

    def disarm(self) -> list[str]:
        """Take back the orders that nobody carried out; return their points."""
        left = [path for path in self.folder.glob("*@*") if not path.name.startswith("taken-")]
        for path in left:
            path.unlink(missing_ok=True)
        return [path.name.partition("@")[0] for path in left]

    def heard(self, seconds: float) -> Reached:
        """Return the next order that was carried out.

        Raises:
            AssertionError: none was in so many seconds.
        """
        if b"\n" not in self._unread:
            readable, _, _ = select.select([self._reports], [], [], seconds)
            assert readable, f"nobody came by an armed point in {seconds:g} s"
            self._unread += os.read(self._reports, 65536)
        line, _, self._unread = self._unread.partition(b"\n")
        return Reached(**json.loads(line))

    def forget(self) -> None:
        """Drop what was not heard yet."""
        self._unread = b""
        while select.select([self._reports], [], [], 0)[0]:
            os.read(self._reports, 65536)

    def release(self, pid: int) -> None:
        """Let a process that waits go on."""
        handle = os.open(self.folder / f"go-{pid}", os.O_WRONLY | os.O_NONBLOCK)
        os.write(handle, b".")
        os.close(handle)
