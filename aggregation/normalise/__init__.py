"""Brings each engine's words to forms that can be voted on, without losing how it wrote them."""

from __future__ import annotations

from aggregation.heard import Heard
from aggregation.language import Rule
from aggregation.tokens import Tokens, build_tokens

__all__ = ["normalise"]


def normalise(heard: Heard, rule: Rule) -> Tokens:
    """Return the engine's tokens by the rule that was decided on for the recording.

    The rule's library is loaded at its first use, so that English never loads Chinese ones.
    """
    if rule is Rule.ENGLISH:
        from aggregation.normalise.english import atoms  # noqa: PLC0415 - loaded at first use
    elif rule is Rule.CHINESE:
        from aggregation.normalise.chinese import atoms  # noqa: PLC0415 - loaded at first use
    else:
        from aggregation.normalise.generic import atoms  # noqa: PLC0415 - loaded at first use
    return build_tokens(heard, atoms)
