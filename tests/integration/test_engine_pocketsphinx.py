"""pocketsphinx hears with times and confidences for each word, from the model in its wheel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from engine_workers.engines.audio import SAMPLE_RATE, Audio
from engine_workers.errors import ModelMissingError
from engine_workers.models import LoadedEngine
from engine_workers.sanitise import Sanitiser
from tests.integration.sample_audio import sample_audio

if TYPE_CHECKING:
    from engine_workers.engines.base import Engine
    from schemas.transcript import Segment

pytest.importorskip("pocketsphinx", reason="needs the extra 'pocketsphinx'")

SAID = "it was the best of times it was the worst of times it was the age of wisdom"
#: Seconds of the sample recording in which that is said.
SAID_SECONDS = 6.5


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Return the engine, loaded."""
    return LoadedEngine().get("pocketsphinx", {})


@pytest.fixture(scope="module")
def sample() -> Audio:
    """Return the beginning of the recording that the moonshine-voice wheel carries."""
    return sample_audio(SAID_SECONDS)


def heard(engine: Engine, audio: Audio) -> list[Segment]:
    """Return what the engine hears, checked as a worker checks it."""
    sanitiser = Sanitiser(audio.seconds)
    found = [sanitiser.clean(raw) for raw in engine.transcribe(audio)]
    assert sanitiser.repairs == ()
    assert sanitiser.heard_seconds == pytest.approx(audio.seconds, abs=0.1)
    return [segment for segment in found if segment is not None]


def test_it_hears_the_sample_wherever_it_begins(engine: Engine, sample: Audio) -> None:
    (plain,) = heard(engine, sample)
    assert Levenshtein.distance(SAID.split(), plain.text.split()) <= 2, plain.text
    assert plain.text == " ".join(word.text for word in plain.words)
    assert all(word.confidence is not None for word in plain.words)
    assert min(word.confidence or 0 for word in plain.words) < 0.5, "it tells its doubts"
    assert max(word.confidence or 0 for word in plain.words) > 0.9
    worst = next(word for word in plain.words if word.text == "worst")
    assert worst.start == pytest.approx(3.4, abs=0.2)
    assert plain.language == "en"
    assert (engine.model, engine.languages) == ("en-us", ("en",))

    silence = np.zeros(40 * SAMPLE_RATE, np.float32)
    (late,) = heard(engine, Audio(np.concatenate([silence, sample.samples])))
    assert plain.start is not None
    assert late.start == pytest.approx(plain.start + 40.0, abs=0.2)


def test_it_hears_nothing_in_silence_noise_and_fragments(engine: Engine) -> None:
    silence = np.zeros(12 * SAMPLE_RATE, np.float32)
    hiss = np.random.default_rng(1).normal(0, 0.01, len(silence)).astype(np.float32)
    for samples in (silence, hiss, hiss[:100], hiss[:1]):
        assert heard(engine, Audio(samples)) == []


def test_a_folder_without_a_part_of_the_model_says_which(tmp_path: Path) -> None:
    folder = tmp_path / "de-de"
    folder.mkdir()
    with pytest.raises(ModelMissingError, match=r"\*\.dict"):
        LoadedEngine().get("pocketsphinx", {"model": str(folder)})
    (folder / "de.dict").write_text("ja j a\n")
    (folder / "de.lm.bin").write_bytes(b"no language model")
    with pytest.raises(ModelMissingError, match="'de-de' cannot be read"):
        LoadedEngine().get("pocketsphinx", {"model": str(folder)})
