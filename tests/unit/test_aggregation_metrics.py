"""Our figures are those of the tools that researchers quote."""

from __future__ import annotations

import random

import jiwer
import numpy as np
import pytest
import sacrebleu

from aggregation.align import align
from aggregation.align.anchors import PIECE_WORDS
from aggregation.align.network import number_words
from aggregation.collect import collect
from aggregation.compare.bleu import bleu, count_ngrams
from aggregation.compare.distance import distances
from aggregation.compare.pairs import compare_pairs
from aggregation.compare.semantic import semantic_similarities
from aggregation.language import Rule
from aggregation.normalise import normalise
from aggregation.quality.parts import area
from aggregation.stitch import Part
from aggregation.tokens import Tokens
from schemas.transcript import Segment, Transcript, Word

WORDS = [f"{a}{b}" for a in ("ba", "co", "di", "fu", "ge") for b in ("nal", "rit", "sop", "tum")]


def tokens(
    engine: str, text: str, rule: Rule = Rule.ENGLISH, words: tuple[Word, ...] = ()
) -> Tokens:
    heard = Transcript(
        engine=engine,
        engine_version="1",
        model="m",
        audio_seconds=10_000,
        segments=(Segment(text=text, words=words),),
    )
    return normalise(collect([Part(heard)]), rule)


def garbled(text: list[str], dice: random.Random) -> list[str]:
    fates = [dice.random() for _ in text]
    return [
        dice.choice(WORDS) if fate < 0.1 else word
        for word, fate in zip(text, fates, strict=True)
        if not 0.1 <= fate < 0.15
    ]


@pytest.fixture(params=range(5))
def pair(request: pytest.FixtureRequest) -> tuple[Tokens, Tokens]:
    """Return two engines' answers to one speech of up to 800 words."""
    dice = random.Random(request.param)
    truth = dice.choices(WORDS, k=dice.randint(1, 800))
    return (
        tokens("a", " ".join(garbled(truth, dice) or ["ba"])),
        tokens("b", " ".join(garbled(truth, dice) or ["co"])),
    )


def test_word_and_character_error_rates_are_jiwers(pair: tuple[Tokens, Tokens]) -> None:
    first, second = pair
    one = compare_pairs(align(pair), distances(pair), Rule.ENGLISH)[0]
    texts = " ".join(first.norms), " ".join(second.norms)
    assert one.wer_of_second == pytest.approx(jiwer.wer(*texts))
    assert one.wer_of_first == pytest.approx(jiwer.wer(texts[1], texts[0]))
    reference, heard = (text.replace(" ", "") for text in texts)
    assert one.cer_of_second == pytest.approx(jiwer.cer(reference, heard))


def test_the_distance_of_long_texts_is_that_of_one_piece() -> None:
    dice = random.Random(7)
    vocabulary = [f"{a}{b}" for a in WORDS for b in WORDS]
    truth = dice.choices(vocabulary, k=4 * PIECE_WORDS)
    pair = tokens("a", " ".join(garbled(truth, dice))), tokens("b", " ".join(garbled(truth, dice)))
    exact = jiwer.process_words(" ".join(pair[0].norms), " ".join(pair[1].norms))
    errors = exact.substitutions + exact.deletions + exact.insertions
    assert errors <= distances(pair)["a", "b"].words <= 1.002 * errors


def test_error_rates_are_meeteval_s(pair: tuple[Tokens, Tokens]) -> None:
    meeteval = pytest.importorskip("meeteval", reason="meeteval is not installed")
    texts = [" ".join(one.norms) for one in pair]
    rate = meeteval.wer.wer.siso.siso_word_error_rate(*texts)
    assert distances(pair)["a", "b"].words == rate.errors


def test_bleu_is_sacrebleus(pair: tuple[Tokens, Tokens]) -> None:
    first, second = (one.heard.text for one in pair)
    metric = sacrebleu.BLEU(lowercase=True, effective_order=True)
    expected = metric.corpus_score([second], [[first]]).score / 100
    counted = [count_ngrams(one, Rule.ENGLISH) for one in pair]
    assert bleu(*counted) == pytest.approx(expected)


def test_bleu_of_chinese_counts_characters() -> None:
    texts = "我们今天去了北京的学校。", "我们昨天去了北京学校。"
    pair = [tokens(name, text, Rule.CHINESE) for name, text in zip("ab", texts, strict=True)]
    metric = sacrebleu.BLEU(tokenize="zh", effective_order=True)
    expected = metric.corpus_score([texts[1]], [[texts[0]]]).score / 100
    assert bleu(*(count_ngrams(one, Rule.CHINESE) for one in pair)) == pytest.approx(expected)


def test_semantic_similarity_knows_topics() -> None:
    texts = [
        ["the", "bank", "raised", "its", "interest", "rate", "to", "fight", "inflation"],
        ["the", "bank", "has", "raised", "interest", "rates", "to", "fight", "the", "inflation"],
        ["a", "cat", "sat", "on", "the", "mat", "while", "dogs", "were", "barking", "outside"],
    ]
    similar = semantic_similarities(texts)
    assert similar[0][0] == pytest.approx(1)
    assert similar[0][1] > 0.6 > similar[0][2]


def test_the_area_counts_how_often_the_sure_are_right() -> None:
    values = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert area(values, values > 0.65) == 1
    assert area(values, values < 0.65) == 0
    assert area(np.ones(4), np.array([True, False, True, False])) == 0.5
    assert area(values, np.ones(5, dtype=bool)) is None


def test_clocks_are_compared_on_shared_words() -> None:
    said = random.Random(3).choices(WORDS, k=400)

    def at(seconds: float, drift: float) -> tuple[Word, ...]:
        return tuple(
            Word(text=word, start=i * (1 + drift) + seconds, end=i * (1 + drift) + seconds + 0.3)
            for i, word in enumerate(said)
        )

    text = " ".join(said)
    pair = tokens("a", text, words=at(0, 0)), tokens("b", text, words=at(0.1, 0.0005))
    timing = compare_pairs(align(pair), distances(pair), Rule.ENGLISH)[0].timing
    assert timing is not None
    assert timing.offset_seconds == pytest.approx(0.2, abs=0.02)
    assert timing.drift_ms_per_minute == pytest.approx(30, abs=2)
    assert timing.within_500_ms == 1
    assert timing.within_200_ms == pytest.approx(0.5, abs=0.02)


def test_word_ids_are_shared_between_engines() -> None:
    vocabulary, (first, second) = number_words([tokens("a", "ba co ba"), tokens("b", "co di")])
    assert [vocabulary[i] for i in first] == ["ba", "co", "ba"]
    assert first[1] == second[0]
