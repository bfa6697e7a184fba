"""What every merge promises, whatever the engines say."""

from __future__ import annotations

import random
import string
from difflib import SequenceMatcher
from itertools import permutations
from uuid import UUID

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aggregation.align import align
from aggregation.calibrate import isotonic
from aggregation.collect import collect
from aggregation.language import Rule
from aggregation.merge.registry import strategy_names
from aggregation.normalise import normalise
from aggregation.pipeline import Question, make_report
from aggregation.stitch import Part
from aggregation.trust import Prior
from schemas.report import Report
from schemas.transcript import Segment, Transcript, Word

ENGLISH = [
    "the",
    "a",
    "and",
    "I",
    "don't",
    "it's",
    "twenty",
    "five",
    "25",
    "$30",
    "million",
    "Mr.",
    "Smith,",
    "well-known",
    "uh",
    "um",
    "percent",
    "half",
    "can't",
    "won't",
    "colour",
    "color",
    "said.",
    "Really?",
    "[music]",
    "'cause",
    "fifty-five",
    "point",
    "two",
    "ok",
    "okay",
    "no",
    "yes",
]
CHINESE = [*"我们今天去了北京學校二十五一千萬百分之点个，。", "iPhone", "15", "AB"]
STRATEGIES = ("best", "rover", "weighted", "learned", "segment", "fill_gaps", "union")

words = st.lists(st.sampled_from(ENGLISH), max_size=40)
several = st.lists(words, min_size=1, max_size=5)
seeds = st.integers(0, 2**32)


def transcript(engine: str, said: list[str], *, times: bool = False, size: int = 8) -> Transcript:
    segments = []
    for first in range(0, len(said), size):
        line = said[first : first + size]
        timed = [
            Word(text=text, start=0.4 * (first + i), end=0.4 * (first + i) + 0.3)
            for i, text in enumerate(line)
        ]
        segments.append(Segment(text=" ".join(line), words=tuple(timed) if times else ()))
    return Transcript(
        engine=engine,
        engine_version="1",
        model="m",
        language="en",
        audio_seconds=0.4 * len(said) + 1,
        segments=tuple(segments),
    )


def merged(
    transcripts: list[Transcript], strategy: str = "learned", *, records: bool = False
) -> Report:
    parts = {one.engine: [Part(one)] for one in transcripts}
    prior = {name: Prior(0.9 - 0.02 * i) for i, name in enumerate(sorted(parts))}
    question = Question(UUID(int=0), parts, strategy=strategy, prior=prior if records else {})
    return make_report(question)


def variants(seed: int, engines: int, length: int = 60) -> list[list[str]]:
    """Return texts of one speech, each engine with errors of its own."""
    dice = random.Random(seed)
    truth = [dice.choice(ENGLISH) for _ in range(length)]
    texts = []
    for _ in range(engines):
        text: list[str] = []
        for word in truth:
            fate = dice.random()
            if fate < 0.08:
                continue
            text.append(dice.choice(ENGLISH) if fate < 0.2 else word)
        texts.append(text)
    return texts


@pytest.mark.parametrize("rule", list(Rule))
@settings(deadline=None)  # the first loads the rule's library
@given(text=st.text(max_size=300))
def test_every_engines_exact_text_is_rebuilt_from_its_tokens(rule: Rule, text: str) -> None:
    heard = collect([Part(transcript("a", [text], size=1))])
    tokens = normalise(heard, rule)
    atoms = range(len(tokens.atom_begin))
    rebuilt = "".join(tokens.surface(atom) + tokens.glue(atom) for atom in atoms)
    lead = heard.text[: tokens.atom_begin[0]] if atoms else heard.text
    assert lead + rebuilt == heard.text
    assert not lead.strip() or not len(tokens)


@settings(deadline=None)
@given(said=st.lists(st.sampled_from([*ENGLISH, *CHINESE]), max_size=60))
def test_mixed_text_is_rebuilt_by_every_rule(said: list[str]) -> None:
    heard = collect([Part(transcript("a", said))])
    for rule in Rule:
        tokens = normalise(heard, rule)
        atoms = range(len(tokens.atom_begin))
        assert "".join(tokens.surface(a) + tokens.glue(a) for a in atoms) == heard.text


@settings(deadline=None)
@given(said=several)
def test_each_engines_words_lie_in_the_network_once_in_order(said: list[list[str]]) -> None:
    tokens = [
        normalise(collect([Part(transcript(str(i), text))]), Rule.ENGLISH)
        for i, text in enumerate(said)
    ]
    network = align(tokens)
    for column, engine in enumerate(tokens):
        used = network.index[:, column]
        assert used[used >= 0].tolist() == list(range(len(engine)))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, strategy=st.sampled_from(STRATEGIES))
def test_the_order_in_which_engines_answered_does_not_matter(seed: int, strategy: str) -> None:
    engines = [transcript(f"e{i}", text) for i, text in enumerate(variants(seed, 3, 30))]
    reports = [merged(list(order), strategy) for order in permutations(engines)]
    assert all(report == reports[0] for report in reports)


@settings(max_examples=40, deadline=None)
@given(said=words, strategy=st.sampled_from(STRATEGIES), times=st.booleans())
def test_merging_identical_transcripts_returns_them_exactly(
    *, said: list[str], strategy: str, times: bool
) -> None:
    engines = [transcript(name, said, times=times) for name in ("a", "b", "c")]
    report = merged(engines, strategy)
    assert report.merged.text == engines[0].text
    assert report.comparison.similarity == 1
    assert report.comparison.differences == ()


@settings(max_examples=40, deadline=None)
@given(seed=seeds, strategy=st.sampled_from(STRATEGIES))
@example(seed=27701, strategy="rover")  # a number that lost one word in its middle
def test_no_word_comes_from_nowhere(seed: int, strategy: str) -> None:
    texts = variants(seed, 3)
    report = merged([transcript(f"e{i}", text) for i, text in enumerate(texts)], strategy)
    for segment in report.merged.segments:
        for word in segment.words:
            assert word.engines, word
            assert not set(word.engines) & set(word.dissent)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, strategy=st.sampled_from(STRATEGIES))
def test_times_never_run_backwards_and_stay_inside_the_audio(seed: int, strategy: str) -> None:
    texts = variants(seed, 3)
    engines = [transcript(f"e{i}", text, times=True) for i, text in enumerate(texts)]
    report = merged(engines, strategy)
    words_ = [word for segment in report.merged.segments for word in segment.words]
    starts = [word.start for word in words_ if word.start is not None]
    assert starts == sorted(starts)
    for word in words_:
        if word.start is not None and word.end is not None:
            assert 0 <= word.start <= word.end <= report.audio_seconds


@settings(max_examples=25, deadline=None)
@given(phrase=st.lists(st.sampled_from(ENGLISH[:12]), min_size=1, max_size=3), seed=seeds)
def test_a_veto_never_empties_what_all_engines_say(phrase: list[str], seed: int) -> None:
    before = [random.Random(seed).choice(ENGLISH) for _ in range(10)]
    said = [*before, *(phrase * 6), *before]
    report = merged([transcript(name, said) for name in ("a", "b", "c")])
    assert report.merged.text == " ".join(said)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_change_in_one_place_does_not_alter_far_ones(seed: int) -> None:
    texts = variants(seed, 3, 400)
    truth = [f"anchor{letter}x" for letter in string.ascii_lowercase]
    before = [[*text, *truth, *text] for text in texts]
    changed = [list(text) for text in before]
    changed[0][5:8] = ["zebra", "yellow"]
    tail = " ".join(truth)
    for strategy, tolerated in (("rover", 0.0), ("learned", 0.02)):
        first, second = (
            merged(
                [transcript(f"e{i}", text, size=10_000) for i, text in enumerate(version)],
                strategy,
                records=True,
            ).merged.text.split(tail)[1]
            for version in (before, changed)
        )
        # The learned vote counts words over the whole recording, so a far tie may tip.
        same = SequenceMatcher(None, first.split(), second.split(), autojunk=False).ratio()
        assert same >= 1 - tolerated


@given(hits=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_calibrated_confidences_keep_the_order_of_the_raw_ones(
    hits: list[tuple[float, bool]],
) -> None:
    values = np.array([value for value, _ in hits])
    curve = isotonic(values, np.array([float(hit) for _, hit in hits]))
    order = np.argsort(values, kind="stable")
    assert (np.diff(curve[order]) >= -1e-12).all()
    assert ((curve >= 0) & (curve <= 1)).all()


def test_our_strategies_are_installed() -> None:
    assert set(STRATEGIES) <= set(strategy_names())


def test_letters_alone_are_no_words_of_another_engine() -> None:
    report = merged([transcript("a", list(string.ascii_lowercase)), transcript("b", [])])
    assert report.merged.text == " ".join(string.ascii_lowercase)
