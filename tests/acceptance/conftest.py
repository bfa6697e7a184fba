"""The command line as a user has it, on a stack of this test session's own."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.local.stack import RunningStack

#: Seconds that one command may take.
COMMAND_SECONDS = 100


class Cli(Protocol):
    """Runs `chordscribe` with arguments and more environment variables."""

    def __call__(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Return the ended process."""


def command(*arguments: str) -> list[str]:
    """Return the command line of `chordscribe`."""
    return [sys.executable, "-m", "coordinator.cli.main", *arguments]


def clean_env(data_dir: Path, **more: str) -> dict[str, str]:
    """Return an environment that points at the stack of `data_dir` alone."""
    env = {name: value for name, value in os.environ.items() if "CHORDSCRIBE" not in name}
    return {**env, "CHORDSCRIBE_DATA_DIR": str(data_dir), "COLUMNS": "100", **more}


@pytest.fixture(scope="session")
def cli(running_stack: RunningStack) -> Cli:
    """Return the command line, as another shell beside a running `up` has it."""
    data_dir = running_stack.settings.data_dir

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            env=clean_env(data_dir, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """Return one second of silence as a WAV file, a new one for every test."""
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(os.urandom(64) + bytes(32_000 - 64))
    return path
