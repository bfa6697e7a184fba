"""How an engine writes: with or without casing, with or without punctuation."""

from __future__ import annotations

from typing import NamedTuple

from aggregation.tokens import Tokens

#: Characters of the text's head that are looked at.
LOOKED_AT_CHARACTERS = 50_000
#: Marks per word from which an engine counts as punctuating.
PUNCTUATION_SHARE = 0.02
#: Marks that one engine's words may lend to another's; none carries meaning of its own.
MARKS = ".,?!;:…，。？！；：、"
#: Marks that end a sentence.
ENDS = ".?!…。？！"


class Style(NamedTuple):
    """What an engine's writing has."""

    cased: bool
    upper: bool
    punctuated: bool


def style_of(tokens: Tokens) -> Style:
    """Look at an engine's text."""
    text = tokens.heard.text[:LOOKED_AT_CHARACTERS]
    lower = sum(map(str.islower, text))
    upper = sum(map(str.isupper, text))
    words = max(text.count(" ") + 1, 1)
    marks = sum(text.count(mark) for mark in MARKS)
    return Style(
        cased=lower > 0 and upper > 0,
        upper=upper > 0 and lower == 0,
        punctuated=marks / words >= PUNCTUATION_SHARE,
    )


def bare(surface: str) -> str:
    """Return `surface` without lendable marks and quotes at its edges."""
    return surface.strip(MARKS + "\"“”'‘’()[]«»") or surface


def tail(surface: str) -> str:
    """Return the lendable marks at the end of `surface`."""
    kept = len(surface.rstrip(MARKS))
    return surface[kept:] if kept else ""


def dressed(surface: str, own: Style, wanted: Style, *, opens: bool) -> str:
    """Write a borrowed word, without its own punctuation, in the casing that is wanted."""
    word = bare(surface)
    if wanted.upper:
        return word.upper()
    if not wanted.cased:
        return word.lower() if own.cased or own.upper else word
    if not own.cased:
        word = word.lower()
        word = "I" + word[1:] if word == "i" or word.startswith("i'") else word
    return word[:1].upper() + word[1:] if opens else word
