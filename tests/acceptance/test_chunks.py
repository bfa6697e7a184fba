"""A long recording is heard in chunks by two real engines and told as one transcript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from coordinator.client import Client
from coordinator.errors import BadSourceError
from coordinator.sample import sample_recording
from engine_workers.catalogue import describe
from schemas.jobs import JobState
from schemas.settings import MediaSettings, load_settings
from tests.conftest import own_settings

if TYPE_CHECKING:
    from pathlib import Path

ENGINES = ("moonshine", "faster_whisper")
#: Seconds of a chunk, and the most that all of it may take.
CHUNK_SECONDS, PATIENCE_SECONDS = 12.0, 110.0
#: The sample's beginning and end, with what lies between the chunks: each is said once.
SAID = ("best of times", "worst of times", "spring of hope", "winter of despair", "in short")


@pytest.fixture
def recording() -> Path:
    """Return the sample; skip the test where it, or an engine, is not installed."""
    found = describe(load_settings(_env_file=None))
    usable = {status.name for status in found if status.problem is None}
    if not usable.issuperset(ENGINES):
        pytest.skip("moonshine and faster-whisper are not both installed with their models")
    try:
        return sample_recording()
    except BadSourceError:
        pytest.skip("the sample recording is in the package moonshine-voice")


def test_chunks_of_real_speech_become_one_transcript(recording: Path, reachable_tmp: Path) -> None:
    media = MediaSettings(chunk_seconds=CHUNK_SECONDS)
    settings = own_settings(reachable_tmp / "data").model_copy(update={"media": media})
    with Client(settings) as client:
        job = client.submit(recording, engines=ENGINES, language="en")
        ended = client.wait(job.id, timeout=PATIENCE_SECONDS)
        report = client.result(job.id)
    assert ended.state is JobState.COMPLETED
    assert not ended.degraded
    assert [(one.engine, one.chunks) for one in ended.engines] == [(name, 4) for name in ENGINES]
    assert report.audio_seconds == pytest.approx(44.4, abs=0.1)
    for text in (report.merged.text, *(engine.text for engine in report.engines)):
        plain = re.sub(r"[^a-z ]", "", text.lower())
        assert [plain.count(said) for said in SAID] == [1] * len(SAID)
        assert 100 < len(plain.split()) < 130
