"""Odd sets of engines and hostile answers each have one defined result."""

from __future__ import annotations

import random
import time
from uuid import UUID

import pytest

from aggregation.collect import collect
from aggregation.errors import NothingToMergeError, UnknownStrategyError
from aggregation.exports import json as json_export
from aggregation.exports import srt, txt, vtt
from aggregation.pipeline import Question, make_report
from aggregation.stitch import Part
from schemas.report import FindingKind, Report
from schemas.transcript import Segment, Transcript, Word

STRATEGIES = ("best", "rover", "weighted", "learned", "segment", "fill_gaps", "union")
SPEECH = (
    "Good morning everyone and welcome. Today we will talk about the results of the third quarter. "
    "Revenue grew by twelve percent, which was better than we had hoped. Margins were stable."
)


def heard(engine: str, *segments: Segment | str, audio: float = 60.0, **more: str) -> Transcript:
    return Transcript(
        engine=engine,
        engine_version="1",
        model="m",
        audio_seconds=audio,
        segments=tuple(s if isinstance(s, Segment) else Segment(text=s) for s in segments),
        **more,
    )


def timed(text: str, start: float = 0.0, pace: float = 0.4) -> Segment:
    words = tuple(
        Word(text=word, start=start + pace * i, end=start + pace * i + 0.3, confidence=0.9)
        for i, word in enumerate(text.split())
    )
    return Segment(text=text, start=words[0].start, end=words[-1].end, words=words)


def report_of(*transcripts: Transcript, **options: object) -> Report:
    parts = {one.engine: [Part(one)] for one in transcripts}
    return make_report(Question(UUID(int=0), parts, **options))  # type: ignore[arg-type]


def test_no_engine_at_all_is_an_error() -> None:
    with pytest.raises(NothingToMergeError):
        make_report(Question(UUID(int=0), {}))


def test_an_unknown_strategy_names_those_that_exist() -> None:
    with pytest.raises(UnknownStrategyError, match="learned"):
        report_of(heard("a", "hello"), strategy="magic")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_engine_is_returned_as_it_is(strategy: str) -> None:
    report = report_of(heard("a", SPEECH), strategy=strategy)
    assert report.merged.text == SPEECH
    assert report.recommendation.engine == "a"
    assert report.recommendation.confidence == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_all_empty_gives_an_empty_transcript(strategy: str) -> None:
    report = report_of(heard("a"), heard("b", ""), heard("c"), strategy=strategy)
    assert report.merged.text == ""
    assert report.comparison.similarity == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_empty_engine_does_not_silence_the_other(strategy: str) -> None:
    report = report_of(heard("a"), heard("b", SPEECH), strategy=strategy)
    assert report.merged.text == (SPEECH if strategy != "best" else report.merged.text)
    assert report.recommendation.engine == "b"


def test_one_engine_ten_times_longer_than_the_other_is_heard() -> None:
    dice = random.Random(0)
    others = ["".join(dice.choices("abdegiklmnorstu", k=6)) for _ in range(300)]
    long = f"{SPEECH} {' '.join(others)}"
    report = report_of(heard("a", SPEECH), heard("b", long))
    assert report.merged.text == long
    assert any(f.kind is FindingKind.GAP and f.engine == "a" for f in report.findings)


def test_different_languages_do_not_mix_sentences() -> None:
    german = "Guten Morgen und willkommen. Heute sprechen wir über die Ergebnisse."
    english = heard("a", SPEECH, language="en"), heard("b", SPEECH, language="en")
    report = report_of(*english, heard("c", german, language="de"))
    assert report.language == "en"
    assert report.merged.text == SPEECH
    assert report.recommendation.engine != "c"


def test_a_loop_is_vetoed_and_reported() -> None:
    looped = f"{SPEECH} {'thank you very much ' * 12}"
    report = report_of(heard("a", SPEECH), heard("b", looped), heard("c", SPEECH))
    assert report.merged.text == SPEECH
    finding = next(f for f in report.findings if f.kind is FindingKind.HALLUCINATION)
    assert finding.engine == "b"
    assert "loop" in finding.reasons


def test_words_over_silence_are_vetoed_by_the_speech_map() -> None:
    ghost = timed("Thanks for watching.", start=40.0)
    speech = [(0.0, 14.0)]
    report = report_of(heard("a", timed(SPEECH)), heard("b", timed(SPEECH), ghost), speech=speech)
    assert report.merged.text == SPEECH
    reasons = {reason for finding in report.findings for reason in finding.reasons}
    assert {"outside speech", "phantom phrase"} <= reasons


def test_casing_and_punctuation_come_from_the_engine_that_has_them() -> None:
    plain = SPEECH.lower().replace(".", "").replace(",", "")
    wrong = SPEECH.replace("quarter", "border").replace("stable", "table")
    report = report_of(heard("a", plain), heard("b", wrong), heard("c", plain))
    assert report.merged.pivot == "b"
    assert report.merged.text == SPEECH


def test_a_borrowed_word_takes_the_pivots_punctuation() -> None:
    report = report_of(
        heard("a", "we met in boston yesterday"),
        heard("b", "We met in Austin, yesterday."),
        heard("c", "we met in boston yesterday"),
    )
    assert report.merged.text == "We met in boston, yesterday."


def test_every_chosen_word_knows_who_said_it_and_who_did_not() -> None:
    report = report_of(
        heard("a", "one tall tree"), heard("b", "one small tree"), heard("c", "one tall tree")
    )
    word = report.merged.segments[0].words[1]
    assert (word.text, word.engines, word.dissent) == ("tall", ("a", "c"), {"b": "small"})
    assert word.rule
    assert word.agreement == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ([("a", 5.0, 4.0), ("b", 6.0, 7.0)], "end before its start"),
        ([("a", 1.0, 2.0), ("b", 0.1, 0.2), ("c", 3.0, 4.0), ("d", 5.0, 6.0)], "out of order"),
        ([("a", 1.0, 2.0), ("b", 900.0, 901.0)], "outside the audio"),
        ([("a", 1.0, 4.0), ("b", 2.0, 5.0)], "overlapped"),
    ],
)
def test_impossible_times_are_repaired_and_reported(
    words: list[tuple[str, float, float]], note: str
) -> None:
    line = tuple(Word(text=text, start=start, end=end) for text, start, end in words)
    segment = Segment(text=" ".join(word.text for word in line), words=line)
    found = collect([Part(heard("a", segment))])
    assert any(note in repair for repair in found.repairs)
    report = report_of(heard("a", segment), heard("b", " ".join(w.text for w in line)))
    assert report.repairs["a"]
    starts = [w.start for s in report.merged.segments for w in s.words if w.start is not None]
    assert starts == sorted(starts)


def test_chunks_are_stitched_on_the_recordings_clock() -> None:
    first = heard("a", timed("one two three four five", pace=2.0), audio=12.0)
    second = heard("a", timed("four five six seven eight", pace=2.0), audio=12.0)
    whole = collect([Part(second, 6.0), Part(first, 0.0)])
    assert whole.text == "one two three four five six seven eight"
    assert whole.audio_seconds == 18.0


def test_chunks_without_times_keep_an_overlap_once() -> None:
    first = heard("a", "one two three four five", audio=12.0)
    second = heard("a", "four five six", audio=12.0)
    whole = collect([Part(first, 0.0), Part(second, 10.0)])
    assert whole.text == "one two three four five six"
    assert "kept once" in whole.repairs[0]


HOSTILE = {
    "only punctuation": "... --- !!! ??? ,,,",
    "one word of 1 MB": "x" * 1_000_000,
    "brackets": "[" * 20_000,
    "a loop": "no " * 20_000,
    "digits": "1 2 3 " * 3_000,
    "emoji": "👍🏽 🇩🇪 👩‍👩‍👧 " * 100,
    "right to left": "\u202e مرحبا \u202c" * 50,
    "apostrophes": "' " * 5_000,
    "a marker of ours": "qzxq qzxq QZXQ",
    "combining": "e\u0301\u0301\u0301" * 2_000,
    "numerals": "一二三四五六七八九十百千万亿" * 200,
    "full width": "ＡＢＣ１２３" * 200,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("language", ["en", "zh", "de"])
def test_hostile_text_is_merged_in_bounded_time(text: str, language: str) -> None:
    began = time.process_time()
    report = report_of(heard("a", text), heard("b", SPEECH), language=language)
    assert time.process_time() - began < 20
    for export in (txt.export, srt.export, vtt.export, json_export.export):
        assert isinstance(export(report), str)


def test_a_lone_surrogate_is_left_out_and_the_rest_kept() -> None:
    report = report_of(heard("a", f"{SPEECH} a\ud800b"), heard("b", f"{SPEECH} ab"))
    assert report.merged.text == f"{SPEECH} ab"
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_hundred_thousand_unrelated_words_are_merged_in_bounded_time() -> None:
    dice = random.Random(0)
    texts = [" ".join(str(dice.random()) + "x" for _ in range(30_000)) for _ in range(2)]
    began = time.process_time()
    report_of(heard("a", texts[0]), heard("b", texts[1]))
    assert time.process_time() - began < 60


def test_the_report_survives_its_own_json() -> None:
    report = report_of(heard("a", timed(SPEECH)), heard("b", SPEECH.lower()))
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_subtitles_never_overlap_nor_run_backwards() -> None:
    report = report_of(heard("a", timed(SPEECH), "and one line without times"))
    lines = [line for line in srt.export(report).splitlines() if "-->" in line]
    times = [part for line in lines for part in line.split(" --> ")]
    assert times == sorted(times)
    assert vtt.export(report).startswith("WEBVTT")
