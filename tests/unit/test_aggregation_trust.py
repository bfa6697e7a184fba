"""How far engines are trusted of which nothing is known before."""

from __future__ import annotations

import random
from uuid import UUID

import pytest
from rapidfuzz.distance import Levenshtein

from aggregation.pipeline import Question, make_report
from aggregation.stitch import Part
from aggregation.trust import Prior
from schemas.transcript import Segment, Transcript, Word

#: Words of the recording, of the speaker's vocabulary, of what a weak engine invents.
LENGTH, SPOKEN, INVENTED = 4_000, 600, 6_000


def made_up(seed: int, weak: float = 0.4) -> tuple[list[str], list[str], list[str]]:
    """Return what was said, what a good engine and what a weak one heard of it."""
    dice = random.Random(seed)
    spoken = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(SPOKEN)]
    truth = dice.choices(spoken, [1 / rank for rank in range(1, SPOKEN + 1)], k=LENGTH)

    def heard(error: float) -> list[str]:
        said: list[str] = []
        for word in truth:
            if dice.random() >= error:
                said.append(word)
            elif dice.random() < 0.8:
                rank = dice.randrange(INVENTED)
                said.append(f"v{''.join(chr(97 + int(digit)) for digit in str(rank))}")
        return said

    return truth, heard(0.08), heard(weak)


def part(engine: str, said: list[str]) -> list[Part]:
    segment = Segment(text=" ".join(said))
    transcript = Transcript(
        engine=engine,
        engine_version="1",
        model="made up",
        language="en",
        audio_seconds=0.0,
        segments=(segment,),
    )
    return [Part(transcript)]


@pytest.mark.parametrize(("good", "weak"), [("anna", "zoe"), ("zoe", "anna")])
@pytest.mark.parametrize(
    "strategy", ["learned", "best", "rover", "weighted", "segment", "fill_gaps"]
)
def test_a_far_weaker_engine_is_told_without_any_record(
    good: str, weak: str, strategy: str
) -> None:
    truth, right, wrong = made_up(3)
    parts = {good: part(good, right), weak: part(weak, wrong)}
    report = make_report(Question(UUID(int=0), parts, strategy=strategy))
    merged = report.merged.text.split()
    errors = Levenshtein.distance(truth, merged)
    assert report.recommendation.engine == good
    assert errors <= Levenshtein.distance(truth, right) + 0.001 * LENGTH


def test_the_odd_one_of_three_is_trusted_least() -> None:
    _, right, wrong = made_up(5)
    _, again, _ = made_up(5)
    parts = {"a": part("a", wrong), "b": part("b", right), "c": part("c", again)}
    report = make_report(Question(UUID(int=0), parts))
    assert report.recommendation.engine in {"b", "c"}
    assert report.recommendation.scores["a"] < min(
        report.recommendation.scores["b"], report.recommendation.scores["c"]
    )


@pytest.mark.parametrize("strategy", ["learned", "rover", "weighted", "fill_gaps"])
def test_an_engine_that_misses_half_is_believed_in_what_it_has_and_filled(strategy: str) -> None:
    truth, right, wrong = made_up(7, weak=0.25)
    dice = random.Random(7)
    sparse: list[str] = []
    while right:
        kept, lost = dice.randint(1, 12), dice.randint(1, 9)
        sparse += right[:kept]
        right = right[kept + lost :]
    parts = {"weak": part("weak", wrong), "sparse": part("sparse", sparse)}
    report = make_report(Question(UUID(int=0), parts, strategy=strategy))
    errors = Levenshtein.distance(truth, report.merged.text.split())
    assert errors < 0.9 * Levenshtein.distance(truth, sparse)
    assert errors < 1.05 * Levenshtein.distance(truth, wrong)
    assert report.findings[-1].engine == "sparse"


@pytest.mark.parametrize(
    "strategy", ["learned", "best", "rover", "weighted", "segment", "fill_gaps"]
)
def test_an_engine_known_to_be_weak_fills_no_silence_of_a_good_one(strategy: str) -> None:
    truth, right, wrong = made_up(13)
    parts = {"weak": part("weak", wrong), "good": part("good", right[: LENGTH // 2])}
    prior = {"good": Prior(0.92), "weak": Prior(0.5)}
    report = make_report(Question(UUID(int=0), parts, strategy=strategy, prior=prior))
    alone = Levenshtein.distance(truth, right[: LENGTH // 2])
    errors = Levenshtein.distance(truth, report.merged.text.split())
    assert errors <= alone + 0.001 * LENGTH


def test_what_a_speaker_says_twice_is_kept_though_a_weak_engine_missed_it() -> None:
    _, right, wrong = made_up(9)
    twice = ["that", "is", "good", "that", "is", "fine", "that", "is", "good"]
    parts = {
        "good": part("good", [*right[:900], *twice, *right[900:]]),
        "weak": part("weak", wrong),
    }
    report = make_report(Question(UUID(int=0), parts))
    assert " ".join(twice) in report.merged.text
    assert not [finding for finding in report.findings if finding.engine == "good"]


def test_confidence_does_not_lift_a_weak_engine_over_a_good_one() -> None:
    truth, right, wrong = made_up(11)
    dice = random.Random(11)
    words = tuple(
        Word(text=word, confidence=dice.uniform(0.9, 1.0) if word in truth else dice.random())
        for word in wrong
    )
    segment = Segment(text=" ".join(wrong), words=words)
    sure = part("weak", wrong)[0].transcript.model_copy(update={"segments": (segment,)})
    parts = {"good": part("good", right), "weak": [Part(sure)]}
    prior = {"good": Prior(0.92), "weak": Prior(0.6)}
    report = make_report(Question(UUID(int=0), parts, strategy="weighted", prior=prior))
    errors = Levenshtein.distance(truth, report.merged.text.split())
    assert errors <= Levenshtein.distance(truth, right) + 0.001 * LENGTH
