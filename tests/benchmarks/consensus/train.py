"""Trains the learned vote's weights on the tuning halves.

Call it by `python -m tests.benchmarks.consensus.train`.

A conditional logit by Newton's method. Every set of engines weighs as the square root of its
disputed slots, every recording is seen twice: with the engines' records known and without, so
that the weights serve both. Without a record the trust in the engines comes from the weights
themselves, so that they are fitted several times, from nothing on. Unbalanced sets are in it on
purpose: see docs/consensus.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aggregation.align.network import ABSTAINS, Network
from aggregation.align.progressive import join, words_of
from aggregation.heard import BoolArray, FloatArray, IntArray
from aggregation.merge.features import NAMES, Features, with_trust
from aggregation.pipeline import understand
from aggregation.trust import Prior, estimate_trust
from tests.benchmarks.consensus.data import Recording, halves
from tests.benchmarks.consensus.merging import question, reference, single_errors
from tests.benchmarks.consensus.score import rate

#: Sets of engines that are trained on, by data set: two to six, balanced or not.
TRAINED: dict[str, tuple[tuple[str, ...], ...]] = {
    "earnings21": (
        ("speechmatics", "google"),
        ("amazon", "microsoft"),
        ("revkaldi", "speechmatics"),
        ("revkaldi", "google"),
        ("speechmatics", "librikaldi"),
        ("google", "espnet"),
        ("microsoft", "librikaldi"),
        ("amazon", "revkaldi"),
        ("espnet", "revkaldi"),
        ("speechmatics", "google", "amazon"),
        ("revkaldi", "microsoft", "speechmatics"),
        ("espnet", "google", "librikaldi"),
        ("microsoft", "amazon", "librikaldi"),
        ("microsoft", "speechmatics", "google", "amazon"),
        ("revkaldi", "microsoft", "speechmatics", "google", "amazon"),
        ("revkaldi", "speechmatics", "amazon", "librikaldi"),
        ("microsoft", "speechmatics", "google", "amazon", "espnet", "librikaldi"),
    ),
    "commonvoice_en": (
        ("azure", "google", "watson", "deepspeech"),
        ("azure", "google", "watson"),
        ("azure", "deepspeech"),
        ("azure", "watson"),
        ("google", "watson"),
        ("google", "deepspeech"),
    ),
    "librispeech_clean": (
        ("azure", "google", "watson", "deepspeech"),
        ("azure", "google", "watson"),
        ("azure", "deepspeech"),
        ("google", "watson"),
        ("google", "deepspeech"),
    ),
}
#: Of the sets of short utterances every so manieth recording is enough.
THINNING = {"commonvoice_en": 5, "librispeech_clean": 3}
#: How often the weights are fitted to the trust that follows from them.
ROUNDS = 4
#: Weight of the penalty on squared standardised weights.
RIDGE = 1.0
#: Newton's steps; the loss stops falling after the sixth.
STEPS = 12
#: Where the weights are shipped.
TARGET = Path(__file__).parents[3] / "aggregation" / "merge" / "weights.py"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One recording by one set of engines, with what is known of them."""

    network: Network
    evidence: Features
    prior: dict[str, Prior]
    #: Disputed slots: the reference's word.
    truth: IntArray
    #: What each of its slots counts.
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Disputed slots of one recording where the right word is among the candidates."""

    #: Slots × candidates × features.
    values: FloatArray
    #: Slots × candidates: the first column with this word, and it has a say.
    first: BoolArray
    #: Slots × candidates: it is the reference's word.
    right: BoolArray


def records(recordings: Sequence[Recording], engines: Sequence[str]) -> dict[str, Prior]:
    """Return the engines' word accuracies on these recordings, as evaluations would."""
    return {engine: Prior(1 - rate(single_errors(recordings, engine)) / 100) for engine in engines}


def lesson(recording: Recording, engines: Sequence[str], prior: dict[str, Prior]) -> Lesson:
    """Align one recording, and find the right words."""
    heard = {name: recording.engines[name] for name in engines}
    context = understand(question(heard, prior)).context
    truth = reference_ids(context.network, reference(recording))[context.evidence.slots]
    return Lesson(context.network, context.evidence, prior, truth)


def sample(one: Lesson, weights: FloatArray) -> Sample:
    """Take one recording's disputed slots, the engines trusted as the weights have it."""
    found = one.evidence
    trust = estimate_trust(one.network, found, one.prior, weights.tolist())
    voice = found.ids != ABSTAINS
    earlier = np.tril(np.ones((found.ids.shape[1],) * 2, dtype=np.bool_), -1)
    repeats = ((found.ids[:, :, None] == found.ids[:, None, :]) & earlier).any(axis=2)
    right = (found.ids == one.truth[:, None]) & voice
    usable = right.any(axis=1) & (voice.sum(axis=1) > 1)
    values = with_trust(found, trust.log_odds)
    return Sample(values[usable], (voice & ~repeats)[usable], right[usable])


def reference_ids(network: Network, words: list[str]) -> IntArray:
    """Return the reference's word in each slot (its id, 0 for none, unknown words beyond)."""
    known = {word: number for number, word in enumerate(network.vocabulary)}
    ids = np.array([known.setdefault(word, len(known)) for word in words], dtype=np.int64)
    nowhere = np.full(len(network), np.nan)
    spoken = words_of(network.index, network.words)
    pairs = join(spoken, nowhere, ids, np.full(len(ids), np.nan), list(known))
    truth = np.zeros(len(network), dtype=np.int64)
    inside = pairs[pairs[:, 0] >= 0]
    padded = np.append(ids, 0)
    truth[inside[:, 0]] = padded[inside[:, 1]]
    return truth


def collect_lessons(chosen: dict[str, tuple[tuple[str, ...], ...]]) -> Iterator[Lesson]:
    """Yield every recording by every set of engines, with and without their records."""
    for name, sets in chosen.items():
        tuning = halves(name)[0]
        known = records(tuning, sorted({engine for engines in sets for engine in engines}))
        for engines in sets:
            for prior in (known, {}):
                found = [
                    lesson(recording, spoken, prior)
                    for recording in tuning[:: THINNING.get(name, 1)]
                    if len(spoken := [e for e in engines if recording.engines[e].text]) > 1
                ]
                slots = max(sum(len(one.truth) for one in found), 1)
                share = np.sqrt(THINNING.get(name, 1) / slots)  # thinned sets weigh as if whole
                yield from (replace(one, weight=share) for one in found)


def trained(lessons: Sequence[Lesson]) -> FloatArray:
    """Return the weights that make the right words most likely, given the trust they lead to.

    They begin from nothing, so that the same data give the same weights whatever is shipped.
    """
    weights = np.zeros(len(NAMES))
    for _ in range(ROUNDS):
        weights = fit([(sample(one, weights), one.weight) for one in lessons])
    return weights


def fit(samples: Sequence[tuple[Sample, float]]) -> FloatArray:
    """Return the weights that make the right words most likely."""
    width = max(one.values.shape[1] for one, _ in samples)
    values = np.concatenate([_padded(one.values, width) for one, _ in samples])
    first = np.concatenate([_padded(one.first, width) for one, _ in samples])
    right = np.concatenate([_padded(one.right, width) for one, _ in samples]) & first
    weight = np.concatenate([np.full(len(one.values), share) for one, share in samples])
    weight *= len(weight) / weight.sum()
    scale = values[first].std(axis=0) + 1e-9
    values = values / scale
    beta = np.zeros(values.shape[2])
    for _ in range(STEPS):
        score = np.where(first, values @ beta, -np.inf)
        likely = np.exp(score - score.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        target = likely * right
        target /= np.maximum(target.sum(axis=1, keepdims=True), 1e-300)
        slope = np.einsum("sc,scf,s->f", target - likely, values, weight) - 2 * RIDGE * beta
        mean = np.einsum("sc,scf->sf", likely, values)
        bend = np.einsum("sc,scf,scg,s->fg", likely, values, values, weight, optimize=True)
        bend -= np.einsum("sf,sg,s->fg", mean, mean, weight, optimize=True)
        beta = beta + np.linalg.solve(bend + 2 * RIDGE * np.eye(len(beta)), slope)
    result: FloatArray = beta / scale
    return result


def _padded(values: np.ndarray, width: int) -> np.ndarray:
    extra = [(0, 0), (0, width - values.shape[1])] + [(0, 0)] * (values.ndim - 2)
    return np.pad(values, extra)


def as_module(weights: FloatArray) -> str:
    """Return the source of the module that ships the weights."""
    rows = "".join(
        f"    {value:.4f},  # {name}\n" for name, value in zip(NAMES, weights, strict=True)
    )
    return (
        '"""The learned vote\'s weights; `tests/benchmarks/consensus/train.py` made them."""\n\n'
        "from __future__ import annotations\n\n"
        "#: One number for each of `features.NAMES`.\n"
        f"WEIGHTS: tuple[float, ...] = (\n{rows})\n"
    )


def main() -> int:
    """Train on everything and write the module."""
    weights = trained(list(collect_lessons(TRAINED)))
    TARGET.write_text(as_module(weights), encoding="utf-8")
    sys.stdout.write(as_module(weights))
    return 0


if __name__ == "__main__":
    sys.exit(main())
