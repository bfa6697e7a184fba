"""The fake engine says the same for the same, and fails as it is told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.engines.base import Audio
from engine_workers.engines.fake import Fake, FakeOptions
from engine_workers.engines.pauses import windows
from engine_workers.errors import BadMediaError
from engine_workers.sanitise import Sanitiser
from schemas.transcript import Segment


def noise(seconds: float, seed: int = 1) -> Audio:
    """Return a recording that nobody else has."""
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * SAMPLE_RATE))
    return Audio(samples.astype(np.float32))


def said(audio: Audio, **options: object) -> list[Segment]:
    """Return what it says, checked as a worker checks it."""
    engine = Fake(FakeOptions.model_validate(options))
    engine.load()
    sanitiser = Sanitiser(audio.seconds)
    found = [sanitiser.clean(raw) for raw in engine.transcribe(audio)]
    assert sanitiser.repairs == ()
    return [segment for segment in found if segment is not None]


def test_the_words_follow_from_the_recording() -> None:
    one, other = noise(12.0), noise(12.0, seed=2)
    assert said(one) == said(one)
    assert said(one) != said(other)
    assert said(one, text="to be")[0].text.startswith("to be to be")


def test_its_segments_cover_the_recording_and_its_words_the_segments() -> None:
    segments = said(noise(12.5), words_per_second=3, seconds_per_segment=5)
    assert [(segment.start, segment.end) for segment in segments] == [
        (0.0, 5.0),
        (5.0, 10.0),
        (10.0, 12.5),
    ]
    words = [word for segment in segments for word in segment.words]
    assert len(words) == 15 + 15 + 7
    starts = [word.start for word in words]
    assert all(a is not None and b is not None and a < b for a, b in pairwise(starts))
    assert {word.confidence for word in words} == {0.9}


def test_a_moment_is_enough_for_a_word() -> None:
    (segment,) = said(noise(0.1))
    assert len(segment.words) == 1


def test_it_fails_where_it_is_told() -> None:
    with pytest.raises(BadMediaError):
        said(noise(1.0), fail="bad_media")
    engine = Fake(FakeOptions(fail="out_of_memory", fail_at="middle"))
    heard: list[float | None] = []
    with pytest.raises(MemoryError):
        heard.extend(segment.start for segment in engine.transcribe(noise(20.0)))
    assert heard == [0.0, 5.0]
    with pytest.raises(RuntimeError):
        said(noise(1.0), fail="engine_error", fail_at="load")


@pytest.mark.parametrize("seconds", [0.0, 0.05, 9.0, 20.0, 20.1, 61.7])
def test_windows_cover_everything_and_none_is_too_long(seconds: float) -> None:
    samples = noise(seconds).samples
    cuts = list(windows(samples, 10.0, 20.0))
    edges = [0, *(end for _, end in cuts)]
    assert edges[-1] == len(samples)
    assert [first for first, _ in cuts] == edges[:-1]
    lengths = [(end - first) / SAMPLE_RATE for first, end in cuts]
    assert all(0 < length <= 20.0 for length in lengths)
    assert all(length >= 10.0 for length in lengths[:-1])


def test_a_window_ends_in_the_pause() -> None:
    samples = noise(30.0).samples.copy()
    samples[int(14.0 * SAMPLE_RATE) : int(14.6 * SAMPLE_RATE)] = 0
    (_, first_end), *_ = windows(samples, 10.0, 20.0)
    assert 14.1 < first_end / SAMPLE_RATE < 14.5
