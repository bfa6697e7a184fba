"""Flower shows the workers and the tasks, to those who have the password."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from coordinator.client import Client
from schemas.names import TASK_PREPARE
from schemas.settings import Settings
from tests.acceptance.conftest import clean_env, command

#: Seconds that anything here may take, and between two looks.
PATIENCE_SECONDS, LOOK_SECONDS = 60, 0.1

pytestmark = pytest.mark.skipif(find_spec("flower") is None, reason="needs the extra 'flower'")


@pytest.fixture
def up(reachable_tmp: Path) -> Iterator[tuple[str, str]]:
    """Run `up --flower`; return Flower's address and the login `user:password` it printed."""
    with subprocess.Popen(
        command("up", "--engines", "fake", "--flower", "--flower-port", "0"),
        env=clean_env(reachable_tmp),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("flower: "))
        _, address, _, user, _, password = line.strip().rstrip(")").replace(",", "").split()
        yield address, f"{user}:{password}"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0


def fetch(address: str, login: str | None = None) -> bytes:
    """Return what Flower answers."""
    request = urllib.request.Request(address)
    if login is not None:
        token = base64.b64encode(login.encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        body: bytes = answer.read()
    return body


def until_shown(address: str, login: str, *texts: str) -> None:
    """Return as soon as the page has all the texts: events reach Flower a moment later."""
    deadline, tick = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not all(text.encode() in fetch(address, login) for text in texts):
        assert time.monotonic() < deadline, f"{address} does not show {texts}"
        tick.wait(LOOK_SECONDS)


def test_flower_shows_a_jobs_tasks_behind_a_generated_password(
    up: tuple[str, str], reachable_tmp: Path, tone: Path
) -> None:
    address, login = up
    assert address.startswith("http://127.0.0.1:")
    for wrong in (None, "chordscribe:wrong", "chordscribe:"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(f"{address}/tasks", wrong)
    until_shown(f"{address}/workers", login, "fake@", "aggregation@")
    with Client(Settings(_env_file=None, data_dir=reachable_tmp)) as client:
        job = client.submit(tone, engines=["fake"])
        client.wait(job.id, timeout=PATIENCE_SECONDS)
    until_shown(f"{address}/api/tasks", login, "aggregation.aggregate", "engine_workers.transcribe")
    tasks = json.loads(fetch(f"{address}/api/tasks", login)).values()
    # A recording is prepared for whatever job hears it.
    named = {TASK_PREPARE: job.audio.sha256}
    assert all(named.get(task["name"], str(job.id)) in task["kwargs"] for task in tasks)
