"""Tells what kind of disagreement a difference is."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz.distance import Indel

from aggregation.language import Rule

#: Likeness in spelling from which two words are two spellings rather than two words.
SPELLING_LIKENESS = 0.8
#: Marks around words.
_EDGES = ".,?!;:\"'()[]“”‘’…-"
#: Words that carry no content when they stand alone between others.
FILLERS = frozenset(
    [
        "ah",
        "eh",
        "er",
        "erm",
        "hm",
        "hmm",
        "huh",
        "mm",
        "oh",
        "uh",
        "um",
        "well",
        "like",
        "so",
        "right",
        "yeah",
        "okay",
        "ok",
        "you",
        "know",
        "i",
        "mean",
        "嗯",
        "呃",
        "啊",
        "哦",
        "噢",
        "唉",
        "哎",
        "呀",
        "嘛",
        "呢",
        "吧",
        "那",
        "个",
        "这",
        "就",
        "是",
    ]
)


def kind_of(
    norms: dict[str, list[str]], readings: dict[str, str], rule: Rule, names: frozenset[str]
) -> str:
    """Name the kind, the most telling first.

    Args:
        norms: By engine, the normal forms it has there.
        readings: By engine, what it wrote.
        rule: The language's rule.
        names: Normal forms that engines with casing always write with a capital.
    """
    said = {tuple(words) for words in norms.values()}
    spoken = [words for words in said if words]
    content = {word for words in spoken for word in words}
    if any(any(map(str.isdigit, word)) for word in content):
        return "number"
    if content & names:
        return "name"
    if len(spoken) < len(said) and content <= FILLERS:
        return "filler"
    if len(spoken) < len(said) and len(spoken) == 1:
        silent = sum(not text for text in readings.values())
        return "deletion" if silent * 2 <= len(readings) else "insertion"
    return _by_likeness(["".join(words) for words in spoken], rule)


def _by_likeness(spoken: list[str], rule: Rule) -> str:
    """Tell apart what is said in several ways."""
    if rule is Rule.CHINESE and len(set(map(_sound, spoken))) == 1:
        return "homophone"
    first = min(spoken)
    if all(Indel.normalized_similarity(first, other) >= SPELLING_LIKENESS for other in spoken):
        return "spelling"
    return "substitution"


def names_of(texts: list[str]) -> frozenset[str]:
    """Return words that texts with casing write with a capital and never without.

    Args:
        texts: Surfaces, whole texts; one without any lower case tells nothing.
    """
    capital: set[str] = set()
    small: set[str] = set()
    for text in texts:
        words = set(text.split())
        cased = {word.strip(_EDGES) for word in words}
        if not any(map(str.istitle, cased)) or not any(map(str.islower, cased)):
            continue
        small |= {word for word in cased if word.islower()}
        capital |= {word.lower() for word in cased if word[:1].isupper() and len(word) > 1}
    return frozenset(capital - small)


@lru_cache(maxsize=20_000)
def _sound(text: str) -> tuple[str, ...]:
    from pypinyin import lazy_pinyin  # noqa: PLC0415 - only Chinese needs it

    return tuple(lazy_pinyin(text))
