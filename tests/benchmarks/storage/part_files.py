"""How fast a folder of recordings is submitted by one command, in how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.conftest import clean_env, command
from tests.benchmarks.figures import Figure, at_most, informs
from tests.benchmarks.storage.installations import installation
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from schemas.settings import Settings

FILES, QUICK_FILES = 10_000, 1_000
#: How many times fewer files the memory is compared with, and how much more there may be.
FEWER, MORE_MEMORY = 10, 1.25
#: Seconds between two looks at a process's memory.
LOOK_SECONDS = 0.02


def measure(*, quick: bool) -> list[Figure]:
    """Submit a tenth of the files, then a folder of all, each of a second."""
    count = QUICK_FILES if quick else FILES
    with installation() as client:
        root = client.settings.data_dir.parent
        _, little = _submit(client.settings, _folder(root / "few", 0, count // FEWER))
        took, much = _submit(client.settings, _folder(root / "many", count, count))
    return [
        informs(f"{count:,} files of a second, submitted", count / took, "/s"),
        informs("peak memory of the command", much / 1024, "MiB"),
        at_most(f"the same over that of {count // FEWER:,} files", much / little, MORE_MEMORY, "×"),
    ]


def _folder(folder: Path, first: int, count: int) -> Path:
    """Write so many recordings, each another."""
    folder.mkdir()
    content = bytearray(wav(tone(1.0)))
    for number in range(first, first + count):
        content[-4:] = number.to_bytes(4, "little")
        (folder / f"{number:06}.wav").write_bytes(content)
    return folder


def _submit(settings: Settings, folder: Path) -> tuple[float, int]:
    """Submit a folder; return the seconds that took, and the command's peak memory in KiB.

    Raises:
        RuntimeError: not every file was accepted.
    """
    arguments = command("submit", str(folder), "--engines", "fake", "--json")
    began, peak, tick = time.monotonic(), 0, threading.Event()
    with (folder.with_suffix(".out")).open("w+") as told:
        process = subprocess.Popen(
            arguments, env=clean_env(settings.data_dir), stdout=told, stderr=sys.stderr
        )
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            tick.wait(LOOK_SECONDS)
        took = time.monotonic() - began
        told.seek(0)
        accepted = json.load(told)["accepted"]
    if accepted != len(list(folder.iterdir())):
        message = f"only {accepted} files were accepted"
        raise RuntimeError(message)
    return took, peak


def _peak(pid: int) -> int:
    """Return the most memory that a process has had, in KiB (Linux alone); 0: it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0
