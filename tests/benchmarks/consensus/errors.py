"""Sorts a sample of merged errors by what kind they are, and by whether an engine was right."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rapidfuzz.distance import Indel, Levenshtein, Opcode

from aggregation.merge.learned import learned
from aggregation.merge.rebuild import rebuild
from aggregation.pipeline import understand
from tests.benchmarks.consensus.data import Recording, halves
from tests.benchmarks.consensus.merging import question, reference
from tests.benchmarks.consensus.score import normal
from tests.benchmarks.consensus.sets import SETS
from tests.benchmarks.consensus.train import records

#: Errors in the sample, and the seed it is drawn with.
SAMPLE, SEED = 100, 4
#: Words that carry little meaning: a listener hardly misses them.
FUNCTION = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "so",
        "of",
        "to",
        "in",
        "on",
        "at",
        "for",
        "with",
        "from",
        "by",
        "as",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "it",
        "its",
        "that",
        "this",
        "these",
        "those",
        "i",
        "we",
        "you",
        "they",
        "he",
        "she",
        "our",
        "your",
        "their",
        "us",
        "them",
        "will",
        "would",
        "can",
        "could",
        "have",
        "has",
        "had",
        "do",
        "does",
        "did",
        "not",
        "there",
        "then",
        "just",
        "well",
        "now",
        "yeah",
        "okay",
        "ok",
        "like",
        "also",
        "very",
    ]
)
#: Likeness in spelling from which two words are forms of one.
ALIKE = 0.75

#: Reference words on each side in which a left out word may be said again.
NEAR_WORDS = 3


class Place(NamedTuple):
    """A stretch where the merge differs from the reference."""

    wrong: list[str]
    right: list[str]
    #: What each engine said there.
    offered: dict[str, list[str]]
    #: The reference's words around it.
    around: list[str]
    #: The recording's words that its reference always writes with a capital.
    names: frozenset[str]


def places(recording: Recording, engines: tuple[str, ...]) -> Iterator[Place]:
    """Yield each stretch where the merge differs from the reference."""
    truth = reference(recording)
    names = _names(recording.reference.split())
    prior = records(halves("earnings21")[0], engines)
    heard = {name: recording.engines[name] for name in engines}
    context = understand(question(heard, prior)).context
    said = normal(rebuild(context, learned(context), "learned", 0.0).transcript.text)
    texts = {name: normal(recording.engines[name].text) for name in engines}
    sides = {name: Levenshtein.opcodes(truth, text) for name, text in texts.items()}
    for op in Levenshtein.opcodes(truth, said):
        if op.tag == "equal":
            continue
        offered = {
            name: _across(sides[name], texts[name], op.src_start, op.src_end) for name in engines
        }
        yield Place(
            wrong=said[op.dest_start : op.dest_end],
            right=truth[op.src_start : op.src_end],
            offered=offered,
            around=truth[max(op.src_start - NEAR_WORDS, 0) : op.src_start]
            + truth[op.src_end : op.src_end + NEAR_WORDS],
            names=names,
        )


def _names(surfaces: Iterable[str]) -> frozenset[str]:
    """Return the normal forms of words that are never written small."""
    written = set(surfaces)
    capital = {word for word in written if word[:1].isupper() and word.lower() not in written}
    return frozenset(form for word in capital for form in normal(word)) - FUNCTION


def _across(ops: Iterable[Opcode], text: list[str], first: int, last: int) -> list[str]:
    """Return an engine's words over the reference's words `first` up to `last`."""
    start = end = None
    for op in ops:
        if op.src_end < first or op.src_start > last:
            continue
        if op.tag == "equal":
            low = op.dest_start + max(first - op.src_start, 0)
            high = op.dest_start + min(last, op.src_end) - op.src_start
        else:
            low, high = op.dest_start, op.dest_end
        start = low if start is None else min(start, low)
        end = high if end is None else max(end, high)
    return text[start or 0 : end or 0]


def kind(place: Place) -> str:
    """Name the kind of an error."""
    wrong, right = place.wrong, place.right
    words = [*wrong, *right]
    if any(any(map(str.isdigit, word)) for word in words):
        return "number or its format"
    if place.names & set(right):
        return "name"
    if not wrong and set(right) <= set(place.around):
        return "repetition left out"
    if all(word in FUNCTION for word in words):
        return "function word" if wrong and right else "function word, missed or added"
    joined = Indel.normalized_similarity("".join(wrong), "".join(right))
    if wrong and right and joined >= ALIKE:
        return "form of the same word, or compound"
    return "content word, another" if wrong and right else "content word, missed or added"


def source(place: Place) -> str:
    """Say whether any engine was right there, whole or in parts."""
    if any(words == place.right for words in place.offered.values()):
        return "an engine had it"
    spoken = {word for words in place.offered.values() for word in words}
    if place.right and set(place.right) <= spoken:
        return "in parts"
    return "no engine had it"


def main() -> int:
    """Print the sample's counts, then its places."""
    one = next(s for s in SETS if s.kind == "3 balanced")
    found = [place for r in halves(one.data)[1] for place in places(r, one.engines)]
    sample = random.Random(SEED).sample(found, SAMPLE)
    table = Counter((kind(place), source(place)) for place in sample)
    for (what, who), number in sorted(table.items()):
        sys.stdout.write(f"{number:3d}  {what}: {who}\n")
    for place in sample:
        heard = "; ".join(f"{name}: {' '.join(words)}" for name, words in place.offered.items())
        sys.stdout.write(f"  [{' '.join(place.wrong)}] for [{' '.join(place.right)}]   ({heard})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
