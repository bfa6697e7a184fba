"""What was heard in each channel of a call is one conversation again, with who said what."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from aggregation.apart import Apart
from aggregation.exports import srt, txt
from aggregation.pipeline import Question, make_report
from aggregation.stitch import Part
from schemas.transcript import Segment, Transcript, Word

if TYPE_CHECKING:
    from schemas.report import Report

#: Seconds of the call.
CALL = 20.0
#: What each side says: the seconds at which each word begins.
CALLER = (("hello", 0.0), ("is", 1.0), ("this", 1.5), ("the", 2.0), ("garage", 2.5))
ANSWER = (("yes", 4.0), ("speaking", 4.5), ("go", 5.0), ("ahead", 5.5))
AGAIN = (("my", 8.0), ("car", 8.5), ("is", 9.0), ("broken", 9.5))
Said = tuple[tuple[str, float], ...]


def segment(said: Said) -> Segment:
    words = tuple(Word(text=text, start=at, end=at + 0.4) for text, at in said)
    text = " ".join(word.text for word in words)
    return Segment(text=text, start=said[0][1], end=said[-1][1] + 0.4, words=words)


def part(engine: str, channel: int, *segments: Said) -> Part:
    transcript = Transcript(
        engine=engine,
        engine_version="1",
        model="tiny",
        language="en",
        audio_seconds=CALL,
        segments=tuple(map(segment, segments)),
    )
    return Part(transcript, channel * CALL)


@pytest.fixture(scope="module")
def report() -> Report:
    """Return what two engines make of a call; one misheard the caller's last word."""
    wrong = (*AGAIN[:-1], ("spoken", 9.5))
    parts = {
        "one": [part("one", 0, CALLER, AGAIN), part("one", 1, ANSWER)],
        "two": [part("two", 0, CALLER, wrong), part("two", 1, ANSWER)],
    }
    return make_report(Question(UUID(int=1), parts, language="en", apart=Apart(2, CALL)))


def test_segments_stand_in_the_order_in_which_they_were_spoken(report: Report) -> None:
    turns = [(one.speaker, one.text.split()[0], one.start) for one in report.merged.segments]
    assert turns == [
        ("channel 1", "hello", 0.0),
        ("channel 2", "yes", 4.0),
        ("channel 1", "my", 8.0),
    ]
    words = [word for one in report.merged.segments for word in one.words]
    starts = [word.start for word in words]
    assert starts == sorted(starts, key=lambda at: at or 0.0)
    assert report.audio_seconds == CALL


def test_differences_tell_who_spoke_and_which_word_it_was(report: Report) -> None:
    (difference,) = report.comparison.differences
    words = [word for one in report.merged.segments for word in one.words]
    assert set(difference.readings.values()) == {"broken", "spoken"}
    assert words[difference.position].text in {"broken", "spoken"}
    assert difference.speaker == "channel 1"
    assert difference.start == pytest.approx(9.5)


def test_exports_name_who_speaks(report: Report) -> None:
    assert txt.export(report).splitlines()[1] == "channel 2: yes speaking go ahead"
    assert "channel 2: yes speaking go ahead" in srt.export(report)
    assert "00:00:04,000 -->" in srt.export(report)


def test_a_recording_that_was_mixed_names_nobody() -> None:
    mixed = make_report(Question(UUID(int=1), {"one": [part("one", 0, CALLER)]}, language="en"))
    assert [one.speaker for one in mixed.merged.segments] == [None]
    assert txt.export(mixed) == "hello is this the garage\n"


def test_a_segment_that_reaches_into_the_next_channel_is_cut() -> None:
    both = Transcript(
        engine="one",
        engine_version="1",
        model="tiny",
        audio_seconds=2 * CALL,
        segments=(segment((("last", 19.0), ("first,", 20.0), ("then", 21.0))),),
    )
    apart = Apart(2, CALL)
    found = make_report(Question(UUID(int=1), {"one": [Part(both)]}, language="en", apart=apart))
    turns = [(one.speaker, one.text, one.start) for one in found.merged.segments]
    assert turns == [("channel 2", "first, then", 0.0), ("channel 1", "last", 19.0)]
