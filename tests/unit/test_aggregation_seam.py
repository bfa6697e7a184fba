"""What two neighbouring chunks both heard is kept once, with word times and without."""

from __future__ import annotations

import pytest

from aggregation.stitch import Part, hole, stitch
from schemas.transcript import Segment, Transcript, Word


def transcript(
    *segments: Segment, seconds: float = 12.0, language: str | None = "en"
) -> Transcript:
    """Return what an engine heard in one chunk."""
    return Transcript(
        engine="a",
        engine_version="1",
        model="m",
        language=language,
        audio_seconds=seconds,
        segments=segments,
    )


def timed(text: str, start: float, pace: float = 0.5) -> Segment:
    """Return a segment whose words have times."""
    words = tuple(
        Word(text=word, start=start + n * pace, end=start + (n + 0.8) * pace)
        for n, word in enumerate(text.split())
    )
    return Segment(text=text, start=words[0].start, end=words[-1].end, words=words)


def plain(text: str, start: float, end: float) -> Segment:
    """Return a segment that has times itself, and no words."""
    return Segment(text=text, start=start, end=end)


def test_with_word_times_the_seam_is_the_middle_of_the_overlap() -> None:
    first = transcript(timed("a b c d", 8.0, 1.0))
    second = transcript(timed("b c d e f", 1.0, 1.0))
    whole, _ = stitch([Part(first), Part(second, 8.0)])
    assert whole.text == "a b c d e f"


def test_a_word_that_both_sides_take_is_kept_once() -> None:
    first = transcript(
        Segment(text="Word.", start=9.0, end=9.9, words=(Word(text="Word.", start=9.0, end=9.9),))
    )
    second = transcript(timed("word after", 1.6))
    whole, _ = stitch([Part(first), Part(second, 8.0)])
    assert whole.text == "Word. after"


def test_without_word_times_the_texts_meet_where_they_say_the_same() -> None:
    first = transcript(plain("some of its authorities insisted on its being recei", 7.0, 12.0))
    second = transcript(
        plain("sisted on its being received for good or for evil", 0.5, 4.0),
        plain("in the superlative degree", 4.0, 6.0),
    )
    whole, notes = stitch([Part(first), Part(second, 8.0)])
    assert whole.text == (
        "some of its authorities insisted on its being received for good or for evil "
        "in the superlative degree"
    )
    assert notes == ["3 words heard twice at 8.0 s: kept once"]


def test_chinese_is_compared_by_characters() -> None:
    first = transcript(plain("今天天气很好我们去公园", 7.0, 12.0), language="zh")
    second = transcript(plain("我们去公园玩吧", 0.5, 4.0), language="zh")
    whole, _ = stitch([Part(first), Part(second, 8.0)])
    assert whole.text.replace(" ", "") == "今天天气很好我们去公园玩吧"


def test_texts_that_say_nothing_in_common_are_parted_by_their_middles() -> None:
    first = transcript(plain("before", 6.0, 9.0), plain("noise", 10.0, 12.0))
    second = transcript(plain("hiss", 0.0, 2.0), plain("after", 3.0, 6.0))
    whole, notes = stitch([Part(first), Part(second, 8.0)])
    assert whole.text == "before after"
    assert notes == []


def test_nothing_is_dropped_where_chunks_meet_in_a_silence() -> None:
    first, second = transcript(plain("yes yes", 9.0, 11.0)), transcript(plain("yes yes", 0.5, 2.0))
    whole, _ = stitch([Part(first), Part(second, 12.0)])
    assert whole.text == "yes yes yes yes"
    assert [segment.start for segment in whole.segments] == [9.0, 12.5]


def test_a_common_phrase_far_from_the_seam_is_no_meeting() -> None:
    long = " ".join(f"w{n}" for n in range(80))
    first = transcript(plain(f"of the {long}", 0.0, 12.0))
    second = transcript(plain("and of the rest", 0.0, 6.0))
    whole, _ = stitch([Part(first), Part(second, 11.0)])
    assert long in whole.text


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_hole_costs_its_neighbours_nothing(place: int) -> None:
    parts = [Part(transcript(timed(f"said {n}", 1.0)), 10.0 * n) for n in range(3)]
    missing = hole(parts[0].transcript, parts[place].offset_seconds, 12.0, "why")
    parts[place] = missing
    whole, _ = stitch(parts)
    assert whole.audio_seconds == 32.0
    assert whole.text == " ".join(f"said {n}" for n in range(3) if n != place)
    start = 10.0 * place
    assert whole.repairs == (f"not heard from {start:.1f} to {start + 12:.1f} s: why",)
    assert whole.language == "en"


def test_the_language_of_most_of_the_text_is_that_of_the_whole() -> None:
    said = (("a long sentence in english", "en"), ("et", "fr"), ("", None))
    parts = [
        Part(transcript(plain(text, 1.0, 2.0), language=language), 12.0 * n)
        for n, (text, language) in enumerate(said)
    ]
    assert stitch(parts)[0].language == "en"
    assert stitch(parts[1:])[0].language == "fr"
