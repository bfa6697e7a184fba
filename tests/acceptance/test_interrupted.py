"""However a command ends, its processes end with it; only what was cancelled is cancelled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from coordinator.client import Client
from schemas.jobs import JobState
from schemas.settings import Settings
from tests.acceptance.conftest import clean_env, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.database import Database

#: Seconds that anything here may take, and between two looks.
PATIENCE_SECONDS, LOOK_SECONDS = 60.0, 0.02

#: How many wait for a lock that this connection has.
WAITERS = """
SELECT count(*) FROM pg_locks AS own
JOIN pg_locks AS other USING (locktype, database, classid, objid, objsubid)
WHERE own.pid = pg_backend_pid() AND own.locktype = 'advisory' AND NOT other.granted
"""


def until_exists(path: Path) -> None:
    """Return as soon as the file is there."""
    deadline, tick = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        tick.wait(LOOK_SECONDS)


def stack_processes(data_dir: Path) -> list[psutil.Process]:
    """Return every process that works for the stack of `data_dir`."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), process.environ().get("CHORDSCRIBE_DATA_DIR", "")]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(data_dir) in text for text in told):
            found.append(process)
    return found


def held_transcription(data_dir: Path, tone: Path, hold: Path) -> subprocess.Popen[str]:
    """Start `transcribe`, return when its engine is in the middle of its work."""
    held = {"hold_at": "middle", "hold_dir": str(hold)}
    options = [f"--option=fake.{name}={value}" for name, value in held.items()]
    process = subprocess.Popen(
        command("transcribe", str(tone), "--engines", "fake", *options, "--json"),
        env=clean_env(data_dir),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until_exists(hold / "middle.reached")
    return process


@contextmanager
def submitted_under(database: Database) -> Iterator[None]:
    """Return when what the block starts has asked whether its job is there already.

    The engine must not end the job before: it would rightly be asked again.
    """
    lock = "SELECT pg_advisory_lock(hashtextextended(fingerprint, 0)) FROM jobs"
    tick, deadline = threading.Event(), time.monotonic() + PATIENCE_SECONDS
    with database.connected() as connection:
        connection.execute(lock)
        yield
        while connection.execute(WAITERS).fetchone() != (1,):
            assert time.monotonic() < deadline, "nothing was submitted"
            tick.wait(LOOK_SECONDS)
        connection.execute("SELECT pg_advisory_unlock_all()")
        connection.execute(lock)  # whoever waited had it first


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_command(
    reachable_tmp: Path, tone: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = held_transcription(reachable_tmp, tone, tmp_path)
    stack = stack_processes(reachable_tmp)
    assert len(stack) >= 6  # supervisor, two servers, coordinator, two workers
    process.send_signal(number)
    process.communicate(timeout=PATIENCE_SECONDS)
    _, alive = psutil.wait_procs(stack, timeout=PATIENCE_SECONDS)
    assert alive == []
    assert stack_processes(reachable_tmp) == []


def test_a_job_whose_command_was_killed_is_joined_not_doubled(
    reachable_tmp: Path, tone: Path, tmp_path: Path
) -> None:
    process = held_transcription(reachable_tmp, tone, tmp_path)
    stack = stack_processes(reachable_tmp)
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    psutil.wait_procs(stack, timeout=PATIENCE_SECONDS)
    with Client(Settings(_env_file=None, data_dir=reachable_tmp), work=False) as client:
        with submitted_under(client.database):
            again = held_transcription(reachable_tmp, tone, tmp_path)
        (tmp_path / "middle.go").touch()
        shown, complaints = again.communicate(timeout=PATIENCE_SECONDS)
        assert again.returncode == 0, complaints
        (result,) = json.loads(shown)["files"]
        assert result["job"]["state"] == "completed"
        (only,) = client.list()
    assert str(only.id) == result["job"]["id"]
    assert [run.attempt for run in only.runs] == [2]


def test_ctrl_c_cancels_the_jobs_that_the_command_began(
    reachable_tmp: Path, tone: Path, tmp_path: Path
) -> None:
    process = held_transcription(reachable_tmp, tone, tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "cancelling" in said
    (tmp_path / "middle.go").touch()
    with Client(Settings(_env_file=None, data_dir=reachable_tmp)) as client:
        (only,) = client.list()
        client.stack.need(engines=(), work=True)
        assert client.wait(only.id, timeout=PATIENCE_SECONDS).state is JobState.CANCELLED
