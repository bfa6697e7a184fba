"""Makes what a user typed fit for a terminal, a log or an error."""

from __future__ import annotations

import re

#: The longest part of a bad reference that an error repeats, in characters.
MAX_SHOWN_CHARACTERS = 120

#: Control characters, those that turn the direction of the text around them, lone surrogates.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return `text` with every character that could confuse a terminal or a log replaced."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def shown(text: object) -> str:
    """Return a reference in quotes, printable, cut where it is long."""
    plain = printable(str(text))
    if len(plain) > MAX_SHOWN_CHARACTERS:
        plain = f"{plain[:MAX_SHOWN_CHARACTERS]}…"
    return f"'{plain}'"
