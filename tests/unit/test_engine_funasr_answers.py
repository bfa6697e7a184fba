"""Each family's answer becomes text, times and language; what has no times gets none."""

from __future__ import annotations

import pytest

from engine_workers.engines.funasr_answers import Answer, TimedWord, read_answer


def test_sense_voices_tags_become_the_language() -> None:
    answer = read_answer(
        {
            "text": "<|en|><|NEUTRAL|><|Speech|><|withitn|>The music is ready.",
            "timestamp": [[90, 150], [390, 450], [870, 990], [1230, 1290], [1530, 1650]],
            "words": ["The", "▁music", "is", "ready", "."],
        }
    )
    assert answer == Answer(
        "The music is ready.",
        (
            TimedWord("The", 0.09, 0.15),
            TimedWord("music", 0.39, 0.45),
            TimedWord("is", 0.87, 0.99),
            TimedWord("ready.", 1.23, 1.29),
        ),
        "en",
    )


@pytest.mark.parametrize(
    "text", ["", "<|nospeech|><|EMO_UNKNOWN|><|BGM|><|woitn|>", "<|nospeech|>嗯", "<|zh|>  "]
)
def test_silence_says_nothing(text: str) -> None:
    assert read_answer({"text": text}) is None
    assert read_answer({}) is None


def test_paraformers_characters_have_times_and_no_spaces() -> None:
    answer = read_answer(
        {
            "text": "打 开 new meeting 会 议",
            "timestamp": [
                [0, 200],
                [200, 400],
                [500, 700],
                [700, 1100],
                [1200, 1300],
                [1300, 1500],
            ],
        }
    )
    assert answer is not None
    assert answer.text == "打开 new meeting 会议"
    assert [word.text for word in answer.words] == ["打", "开", "new", "meeting", "会", "议"]
    assert answer.words[-1] == TimedWord("议", 1.3, 1.5)
    assert answer.language is None


def test_a_joined_text_has_a_time_for_each_character() -> None:
    answer = read_answer(
        {"text": "打开，会议。", "timestamp": [[0, 9], [9, 20], [20, 30], [30, 40]]}
    )
    assert answer is not None
    assert [word.text for word in answer.words] == ["打", "开", "会", "议"]


def test_fun_asrs_pieces_become_words_with_their_least_score() -> None:
    pieces = [("Hel", 0.1, 0.2, 0.9), ("lo", 0.2, 0.3, 0.5), (",", 0.3, 0.3, 0.1)]
    pieces += [(" wor", 0.4, 0.5, 0.8), ("ld", 0.5, 0.6, 0.7), ("世", 0.7, 0.8, 0.6)]
    keys = ("token", "start_time", "end_time", "score")
    answer = read_answer(
        {"text": "Hello, world世", "timestamps": [dict(zip(keys, p, strict=True)) for p in pieces]}
    )
    assert answer is not None
    assert answer.words == (
        TimedWord("Hello,", 0.1, 0.3, 0.5),
        TimedWord("world", 0.4, 0.6, 0.7),
        TimedWord("世", 0.7, 0.8, 0.6),
    )


@pytest.mark.parametrize("spans", [[], [[0, 10]], [[0, 10]] * 9])
def test_times_that_fit_no_words_are_left_out(spans: list[list[int]]) -> None:
    assert read_answer({"text": "two words", "timestamp": spans}) == Answer("two words")
