"""A long recording is cut in silence, near where chunks of equal length would end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.chunks import plan
from schemas.audio import Span
from schemas.settings import MediaSettings

RULES = MediaSettings(chunk_seconds=100.0, overlap_seconds=4.0)
Speech = list[tuple[float, float]]


def talk(seconds: float, said: float, pause: float) -> Speech:
    """Return stretches of speech of equal length with pauses of equal length between them."""
    starts = itertools.takewhile(lambda at: at < seconds, itertools.count(0.0, said + pause))
    return [(start, min(seconds, start + said)) for start in starts]


def cuts(chunks: tuple[Span, ...]) -> list[float]:
    """Return where chunks meet that do not overlap."""
    return [chunk.start for chunk in chunks[1:]]


def test_a_short_recording_has_one_chunk() -> None:
    assert plan(100.0, talk(100.0, 9.0, 1.0), RULES).chunks == (Span(seconds=100.0),)


def test_cuts_lie_in_pauses_near_equal_lengths() -> None:
    speech = talk(1000.0, 9.3, 0.7)
    found = plan(1001.0, speech, RULES).chunks
    assert len(found) == 11
    for number, cut in enumerate(cuts(found), 1):
        assert not any(start < cut < end for start, end in speech)
        assert cut == pytest.approx(number * 91, abs=10)


def test_a_long_pause_is_worth_a_detour() -> None:
    speech = [(0.0, 93.0), (94.5, 99.9), (100.2, 200.0)]
    assert cuts(plan(200.0, speech, RULES).chunks) == [pytest.approx(94.0, abs=0.51)]


def test_where_nobody_pauses_chunks_overlap() -> None:
    first, second = plan(200.0, [(0.0, 200.0)], RULES).chunks
    assert (first.start, first.end) == (0.0, 102.0)
    assert (second.start, second.end) == (98.0, 200.0)


def test_a_recording_without_speech_is_cut_at_equal_lengths() -> None:
    assert cuts(plan(300.0, [], RULES).chunks) == [pytest.approx(100.0), pytest.approx(200.0)]


@given(
    seconds=st.floats(0.1, 5000.0),
    lengths=st.lists(st.tuples(st.floats(0.1, 60.0), st.floats(0.05, 5.0)), max_size=80),
)
def test_every_second_is_in_a_chunk_and_no_cut_is_within_speech(
    seconds: float, lengths: list[tuple[float, float]]
) -> None:
    speech: Speech = []
    at = 0.0
    for said, pause in lengths:
        if at + said >= seconds:
            break
        speech.append((at, at + said))
        at += said + pause
    chunks = plan(seconds, speech, RULES).chunks
    assert chunks[0].start == 0.0
    assert chunks[-1].end == pytest.approx(seconds, abs=0.01)
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start <= before.end + 0.01
        assert before.end < after.end
        if after.start == pytest.approx(before.end, abs=0.002):
            assert not any(start + 0.01 < after.start < end - 0.01 for start, end in speech)
        else:
            assert before.end - after.start == pytest.approx(4.0, abs=0.01)
    assert max(chunk.seconds for chunk in chunks) <= 1.5 * RULES.chunk_seconds + 4.0
