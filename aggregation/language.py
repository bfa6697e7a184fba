"""Decides once, for a whole recording, which language's rules apply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from aggregation.heard import Heard

#: Share of CJK characters among the letters from which a text counts as Chinese.
CHINESE_SHARE = 0.3
#: Characters at the head of each text that are looked at.
LOOKED_AT_CHARACTERS = 20_000

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_LETTER = re.compile(r"[^\W\d_]")


class Rule(StrEnum):
    """Which normal forms words are brought to."""

    ENGLISH = "english"
    CHINESE = "chinese"
    GENERIC = "generic"


class Decision(NamedTuple):
    """The language of a recording and the rule that follows from it."""

    #: BCP-47 tag; None when nobody says.
    language: str | None
    rule: Rule
    #: One sentence that says what it was decided by.
    reason: str


def decide_language(heards: Sequence[Heard], asked: str | None = None) -> Decision:
    """Decide by the request, else by the engines' claims (the most win), else by the script.

    The script overrules a claim of English or Chinese that the text contradicts.
    """
    script = _script(heards)
    claims = Counter(heard.languages[0] for heard in heards if heard.languages and heard.text)
    if asked:
        language, reason = asked, f"{asked} was asked for"
    elif claims:
        ranked = sorted(claims.items(), key=lambda item: (-item[1], item[0]))
        language, count = ranked[0]
        reason = f"{count} of {sum(claims.values())} engines that say heard {language}"
    else:
        language = {Rule.CHINESE: "zh", Rule.ENGLISH: "en"}.get(script, "")
        reason = f"nobody says; the script looks {script}"
    rule = _rule(language)
    if rule is not script and Rule.CHINESE in {rule, script} and any(h.text for h in heards):
        return Decision(language or None, script, f"{reason}, but the script is {script}")
    return Decision(language or None, rule, reason)


def _rule(language: str) -> Rule:
    primary = language.lower().split("-")[0]
    if primary == "en":
        return Rule.ENGLISH
    return Rule.CHINESE if primary in {"zh", "cmn", "yue", "wuu"} else Rule.GENERIC


def _script(heards: Sequence[Heard]) -> Rule:
    sample = "".join(heard.text[:LOOKED_AT_CHARACTERS] for heard in heards)
    letters = len(_LETTER.findall(sample))
    han = len(_HAN.findall(sample))
    if _KANA.search(sample):
        return Rule.GENERIC
    if letters and han / letters >= CHINESE_SHARE:
        return Rule.CHINESE
    return Rule.ENGLISH if sample.isascii() else Rule.GENERIC
