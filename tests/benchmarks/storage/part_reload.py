"""How soon a change of the configuration's file has reached every process."""

from __future__ import annotations

import os
import statistics
import threading
import time
from typing import TYPE_CHECKING
from unittest.mock import patch

from coordinator.client import Client
from coordinator.local.paths import stack_paths
from coordinator.local.stack import running
from coordinator.sample import sample_recording
from tests.benchmarks.figures import Figure, at_most, informs
from tests.conftest import own_settings, private_folder

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS, QUICK_ROUNDS = 20, 5
#: Seconds within which each change has to be there; seconds to wait for it, between two looks.
PROMISED_SECONDS, PATIENCE_SECONDS, LOOK_SECONDS = 5.0, 60.0, 0.005
ROLES = ("coordinator", "engine-fake", "aggregation")
FILE = """version = 2
[performance.worker]
max_audio_seconds = {value}
"""


def measure(*, quick: bool) -> list[Figure]:
    """Change one value again and again; each time wait until each process has told so."""
    took: list[float] = []
    with private_folder() as folder:
        file = folder / "chordscribe.toml"
        file.write_text(FILE.format(value=1000))
        with (
            patch.dict(os.environ, CHORDSCRIBE_CONFIG=str(file)),
            running(own_settings(folder / "data"), engines=["fake"]) as stack,
            Client(stack=stack) as client,
        ):
            client.wait(client.submit(sample_recording(), engines=["fake"]).id)  # all are there
            logs = stack_paths(folder / "data").logs
            for value in range(1001, 1001 + (QUICK_ROUNDS if quick else ROUNDS)):
                began = time.monotonic()
                file.write_text(FILE.format(value=value))
                for role in ROLES:
                    _wait(logs / f"{role}.log", f"max_audio_seconds: {value - 1}.0 -> {value}.0")
                took.append(time.monotonic() - began)
    return [
        informs("a change in every process, median", statistics.median(took), "s"),
        at_most("a change in every process, slowest", max(took), PROMISED_SECONDS, "s"),
    ]


def _wait(log: Path, words: str) -> None:
    """Return once a log has the words.

    Raises:
        TimeoutError: it does not come to have them.
    """
    deadline, tick = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while words not in log.read_text():
        if time.monotonic() > deadline:
            message = f"{log.name} does not say {words}"
            raise TimeoutError(message)
        tick.wait(LOOK_SECONDS)
