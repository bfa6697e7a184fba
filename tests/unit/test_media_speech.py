"""Speech is found while a recording is decoded, however its pieces fall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.media import speech
from engine_workers.media.loudness import Loudness
from engine_workers.media.speech import Energy, Listener, Silero, listener, speech_map
from tests.integration.sample_audio import sample_audio

RNG = np.random.default_rng(1)


def heard(found: Listener, samples: np.ndarray, piece: int) -> list[tuple[float, float]]:
    """Return the spans after giving the samples in pieces."""
    for start in range(0, len(samples), piece):
        found.add(samples[start : start + piece])
    return list(speech_map(found, len(samples) / SAMPLE_RATE).spans)


def bursts() -> np.ndarray:
    """Return two loud seconds, from 1 to 2 and from 4 to 5, in six of faint noise."""
    samples = RNG.normal(0, 0.001, 6 * SAMPLE_RATE).astype(np.float32)
    for start in (1, 4):
        samples[start * SAMPLE_RATE : (start + 1) * SAMPLE_RATE] += RNG.normal(
            0, 0.1, SAMPLE_RATE
        ).astype(np.float32)
    return samples


def test_loud_stretches_are_found_without_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "find_spec", lambda _name: None)
    found = listener()
    assert isinstance(found, Energy)
    spans = heard(found, bursts(), 777)
    assert [(round(start), round(end)) for start, end in spans] == [(1, 2), (4, 5)]
    assert speech_map(Energy(), 0.0).spans == ()


def test_the_model_finds_the_same_however_the_pieces_fall() -> None:
    found = listener()
    if not isinstance(found, Silero):
        pytest.skip("faster-whisper, which ships the model, is not installed")
    samples = sample_audio(20.0).samples
    once = heard(found, samples, len(samples))
    assert once == heard(listener(), samples, 1000) == heard(listener(), samples, 333)
    assert 12.0 < sum(end - start for start, end in once) < 19.0
    theirs = reference(samples)
    assert len(theirs) >= 5
    both = sum(max(0.0, min(end, b) - max(start, a)) for start, end in theirs for a, b in once)
    assert both > 0.97 * sum(end - start for start, end in theirs)


def reference(samples: np.ndarray) -> list[tuple[float, float]]:
    """Return what faster-whisper's own code finds."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # noqa: PLC0415

    options = VadOptions(min_silence_duration_ms=300, speech_pad_ms=0, min_speech_duration_ms=100)
    found = get_speech_timestamps(samples, options)
    return [(one["start"] / SAMPLE_RATE, one["end"] / SAMPLE_RATE) for one in found]


def test_nobody_speaks_in_noise_and_silence() -> None:
    if not isinstance(listener(), Silero):
        pytest.skip("faster-whisper, which ships the model, is not installed")
    noise = RNG.normal(0, 0.05, 10 * SAMPLE_RATE).astype(np.float32)
    assert heard(listener(), noise, 4096) == []
    assert heard(listener(), np.zeros(10 * SAMPLE_RATE, np.float32), 4096) == []


def test_loudness_is_that_of_the_standard() -> None:
    times = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    tone = (10 ** (-20 / 20) * np.sin(2 * np.pi * 997 * times)).astype(np.float32)
    meter = Loudness()
    for start in range(0, len(tone), 1111):
        meter.add(tone[start : start + 1111])
    # A sine of 997 Hz at full scale in one channel has -3.01 LUFS (ITU-R BS.1770-4).
    assert meter.integrated() == pytest.approx(-23.0, abs=0.15)
    silent = Loudness()
    silent.add(np.zeros(5 * SAMPLE_RATE, np.float32))
    assert silent.integrated() is None


def test_the_model_is_the_one_file_of_faster_whisper() -> None:
    copies = Path(speech.__file__).parents[1].rglob("*.onnx")
    assert list(copies) == []
