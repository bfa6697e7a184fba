"""Normal forms for any language: compatibility forms, case folded, punctuation aside."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from aggregation.tokens import Atom

#: Distinct words whose normal forms are remembered by a process.
MEMORY_WORDS = 200_000

# Scripts written without spaces count one character as one word, as error rates for them do.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]|[^\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff"
    r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)


def atoms(text: str) -> list[Atom]:
    """Cut `text` at spaces, or at characters in scripts without spaces."""
    return [(m.start(), m.end(), normal_forms(m.group())) for m in _WORD.finditer(text)]


@lru_cache(maxsize=MEMORY_WORDS)
def normal_forms(word: str) -> tuple[str, ...]:
    """Return the word's normal forms: none for punctuation, several for a hyphenated word."""
    folded = unicodedata.normalize("NFKC", word).casefold()
    kept = "".join(c if _is_letter(c) else "" if c in "'\u2019" else " " for c in folded)
    return tuple(kept.split())


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
