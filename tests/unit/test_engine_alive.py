"""A process in which no Python code runs any more ends by itself."""

from __future__ import annotations

import subprocess
import sys

#: Enters a native call of half a minute, with or without Python's lock, under a guard of 0.5 s.
PROGRAM = """
import ctypes, sys, threading
from engine_workers.alive import SignsOfLife
with SignsOfLife(0.5):
    {call}
print("came through")
"""
#: Seconds within which it has to end.
PATIENCE_SECONDS = 25


def run(call: str) -> subprocess.CompletedProcess[str]:
    """Run the program with that call."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_native_code_that_holds_pythons_lock_ends_with_its_process() -> None:
    ended = run("ctypes.PyDLL(None).sleep(60)")
    assert ended.returncode == 1
    assert "came through" not in ended.stdout
    assert 'File "<string>", line 5' in ended.stderr  # where it stood


def test_native_code_that_frees_the_lock_may_go_on() -> None:
    ended = run("ctypes.CDLL(None).usleep(1_200_000)")
    assert (ended.returncode, ended.stdout) == (0, "came through\n")


def test_no_sign_is_needed_after_the_block() -> None:
    ended = run("pass\nctypes.PyDLL(None).usleep(900_000)")
    assert (ended.returncode, ended.stdout) == (0, "came through\n")
