"""The composed system transcribes a recording; needs an image and `CHORDSCRIBE_TEST_DOCKER=1`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.tools.sizes import ROOT

#: Seconds that starting, one job, or stopping may take.
TIMEOUT_SECONDS = 120
PASSWORD = "only4tests"  # noqa: S105  # of servers that this file starts

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("CHORDSCRIBE_TEST_DOCKER") != "1",
        reason="starts containers: run `docker compose build`, then set CHORDSCRIBE_TEST_DOCKER=1",
    ),
    pytest.mark.timeout(3 * TIMEOUT_SECONDS),
]


def _compose(*arguments: str) -> str:
    docker = shutil.which("docker")
    assert docker, "CHORDSCRIBE_TEST_DOCKER is set, and docker is not on PATH"
    done = subprocess.run(
        [docker, "compose", "-p", "chordscribe-test", "--profile", "cpu", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "REDIS_PASSWORD": PASSWORD,
            "POSTGRES_PASSWORD": PASSWORD,
            "FLOWER_PASSWORD": PASSWORD,
            "FLOWER_PORT": "0",
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def flower() -> Iterator[str]:
    """Start everything; return Flower's address."""
    try:
        _compose("up", "--detach", "--no-build", "--wait")
        yield f"http://{_compose('port', 'flower', '5555').strip()}"
    finally:
        _compose("down", "--volumes", "--remove-orphans")


def _status(url: str, *, password: str | None = None, method: str = "GET") -> int:
    request = urllib.request.Request(url, method=method, data=b"{}" if method == "POST" else None)
    if password:
        login = b64encode(f"chordscribe:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.usefixtures("flower")
def test_a_recording_becomes_one_transcript_of_two_engines() -> None:
    spec = find_spec("moonshine_voice")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "assets"
    answer = _compose(
        *("run", "--rm", "--no-TTY", "--volume", f"{folder}:/here:ro"),
        *("chordscribe", "transcribe", "two_cities.wav", "--json"),
    )
    [file] = json.loads(answer)["files"]
    report = file["report"]
    assert {summary["engine"] for summary in report["engines"]} == {"faster_whisper", "moonshine"}
    merged = " ".join(segment["text"] for segment in report["merged"]["segments"])
    for words in ("best of times", "age of wisdom", "season of light"):
        assert words in merged.lower()


def test_flower_wants_its_password_and_lets_nobody_start_tasks(flower: str) -> None:
    assert _status(f"{flower}/workers") == 401
    assert _status(f"{flower}/workers", password=PASSWORD) == 200
    task = f"{flower}/api/task/async-apply/aggregation.aggregate"
    assert _status(task, password=PASSWORD, method="POST") == 403
