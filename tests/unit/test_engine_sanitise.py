"""Whatever an engine yields is stored valid, each repair told; garbage is a typed error."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_workers.engines.base import Engine
from engine_workers.errors import EngineOutputError
from engine_workers.sanitise import MAX_WORD_CHARACTERS, Sanitiser
from schemas.transcript import Segment

SECONDS = 10.0
segment, word = Engine.segment, Engine.word


def clean(raw: object) -> tuple[Segment, tuple[str, ...]]:
    """Return the repaired segment and what was said about it."""
    sanitiser = Sanitiser(SECONDS)
    found = sanitiser.clean(raw)
    assert found is not None
    return found, sanitiser.repairs


def test_good_output_stays_as_it_is() -> None:
    words = (word("It", 0.1, 0.4, confidence=0.9), word("was", 0.4, 0.8))
    raw = segment(0.1, 0.8, "It was", words=words, language="en", avg_logprob=-0.3)
    found, repairs = clean(raw)
    assert repairs == ()
    assert found.model_dump() == raw.model_dump()


def test_the_numbers_of_numpy_become_plain_ones() -> None:
    found, repairs = clean(segment(np.float64(0.5), np.float32(1.5), "hm"))  # type: ignore[arg-type]
    assert (type(found.start), found.end, repairs) == (float, 1.5, ())


@pytest.mark.parametrize(
    ("start", "end", "stored", "told"),
    [
        (-1.0, 2.0, (0.0, 2.0), "before the beginning"),
        (1.0, 99.0, (1.0, SECONDS), "beyond the audio"),
        (1.0, SECONDS + 0.3, (1.0, SECONDS), None),
        (math.nan, 2.0, (None, 2.0), "no number"),
        (1.0, math.inf, (1.0, None), "no number"),
        ("soon", 2.0, (None, 2.0), "no number"),
        (5.0, 2.0, (5.0, 2.0), None),
        (None, None, (None, None), None),
    ],
)
def test_times_are_brought_into_the_recording(
    start: float, end: float, stored: tuple[float | None, float | None], told: str | None
) -> None:
    found, repairs = clean(segment(start, end, "hm"))
    assert (found.start, found.end) == stored
    assert (told in repairs[0]) if told else repairs == ()


@pytest.mark.parametrize("confidence", [-0.1, 1.1, 97, math.nan])
def test_a_confidence_that_is_none_is_left_out(confidence: float) -> None:
    words = tuple(word("hm", 0, 1, confidence=confidence) for _ in range(3))
    found, repairs = clean(segment(0, 1, "hm hm hm", words=words))
    assert [w.confidence for w in found.words] == [None] * 3
    assert repairs[0].startswith("3 × ")


def test_text_that_no_database_stores_is_mended() -> None:
    found, repairs = clean(segment(0, 1, "a\x00b \ud800c\x1b[31m 你好", language="en\x00"))
    assert found.text == "a b �c [31m 你好"
    assert found.language == "en"
    found.model_dump_json().encode()
    assert any("half character" in repair for repair in repairs)
    assert any("control character" in repair for repair in repairs)


def test_an_endless_word_is_cut_and_a_long_chinese_sentence_is_not() -> None:
    endless = "x" * 20_000
    found, repairs = clean(segment(0, 1, f"a {endless} b", words=(word(endless, 0, 1),)))
    assert len(found.words[0].text) == MAX_WORD_CHARACTERS
    assert found.text == f"a {'x' * MAX_WORD_CHARACTERS} b"
    assert "cut off" in repairs[0]
    found, repairs = clean(segment(0, 1, "好" * 5000))
    assert (len(found.text), repairs) == (5000, ())


def test_words_stand_in_for_a_missing_text_and_nothing_is_nothing() -> None:
    found, _ = clean(segment(0, 1, "", words=(word("so", 0, 1), word(" ", 1, 1), word("it", 1, 2))))
    assert found.text == "so it"
    assert [w.text for w in found.words] == ["so", "it"]
    assert Sanitiser(SECONDS).clean(segment(0, 1, "  ")) is None


def test_a_segment_without_text_shows_how_far_the_engine_has_come() -> None:
    sanitiser = Sanitiser(SECONDS)
    assert sanitiser.clean(segment(None, 4.5, "")) is None
    assert sanitiser.heard_seconds == 4.5
    sanitiser.clean(segment(1.0, 2.0, "hm"))
    assert sanitiser.heard_seconds == 4.5


@pytest.mark.parametrize(
    "raw",
    [
        {"text": "hm"},
        "hm",
        None,
        segment(0, 1, b"hm"),  # type: ignore[arg-type]
        segment(0, 1, "hm", words="hm"),
        segment(0, 1, "hm", words=7),
        segment(0, 1, "hm", words=("hm",)),
        segment(0, 1, "hm", language=7),
    ],
)
def test_garbage_is_an_engine_error(raw: object) -> None:
    with pytest.raises(EngineOutputError):
        Sanitiser(SECONDS).clean(raw)


def test_a_million_words_in_ten_seconds_are_not_believed() -> None:
    sanitiser = Sanitiser(SECONDS)
    with pytest.raises(EngineOutputError, match="nobody says so much"):
        list(map(sanitiser.clean, [segment(0, 1, "blah " * 1000)] * 1000))


anything = st.one_of(
    st.none(),
    st.floats(),
    st.integers(),
    st.text(),
    st.binary(),
    st.booleans(),
    st.lists(st.text()),
)
odd_words = st.lists(
    st.builds(word, text=anything, start=anything, end=anything, confidence=anything)
)


@given(
    st.builds(
        segment,
        start=anything,
        end=anything,
        text=st.text(st.characters(categories=None)),
        words=st.one_of(anything, odd_words),
        confidence=anything,
        language=anything,
        avg_logprob=anything,
        no_speech_prob=anything,
    )
)
def test_any_segment_is_stored_valid_or_is_an_engine_error(raw: Segment) -> None:
    try:
        found = Sanitiser(SECONDS).clean(raw)
    except EngineOutputError:
        return
    if found is not None:
        stored = json.loads(found.model_dump_json())
        assert Segment.model_validate(stored) == found
        assert "\x00" not in found.text
