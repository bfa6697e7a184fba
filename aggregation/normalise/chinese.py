"""Chinese normal forms: simplified characters one by one, numbers as figures, Latin runs whole.

Steps: NFKC (full width to plain), traditional to simplified (OpenCC), numerals to figures
(cn2an), punctuation aside. One token a CJK character is how character error rates count.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from aggregation.normalise.generic import normal_forms
from aggregation.tokens import Atom

if TYPE_CHECKING:
    from opencc import OpenCC

#: Distinct characters and numerals whose normal forms are remembered by a process.
MEMORY_PIECES = 50_000
#: The longest run of numerals that is read as one number.
MAX_NUMERALS = 24

_FIGURE = dict(zip("零〇一二三四五六七八九幺两兩", "00123456789122", strict=True))
_NUMERALS = "零〇一二三四五六七八九幺两兩十百千万萬亿億点點"
_PIECE = re.compile(
    r"(?P<percent>百分之)"
    rf"|(?P<number>[{_NUMERALS}]{{2,{MAX_NUMERALS}}})"
    r"|(?P<han>[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
    r"|(?P<figures>[0-9\uff10-\uff19]+(?:[.,\uff0e][0-9\uff10-\uff19]+)*[%\uff05]?)"
    r"|(?P<other>[^\s0-9\uff10-\uff19\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]+)"
)


def atoms(text: str) -> list[Atom]:
    """Cut `text` into characters, numbers and runs of other scripts."""
    result: list[Atom] = []
    percent_at = -1
    for match in _PIECE.finditer(text):
        kind, piece = match.lastgroup, match.group()
        begin, end = match.span()
        if kind == "percent":
            percent_at = begin
            continue
        if percent_at >= 0:
            _close_percent(result, text, percent_at, match)
            if kind in {"number", "figures"}:
                percent_at = -1
                continue
            percent_at = -1
        result.append((begin, end, _forms(kind or "other", piece)))
    if percent_at >= 0:
        result.extend((i, i + 1, (text[i],)) for i in range(percent_at, percent_at + 3))
    return result


def _close_percent(result: list[Atom], text: str, begin: int, match: re.Match[str]) -> None:
    """Take 百分之 together with the number after it, or as three characters without one."""
    if match.lastgroup in {"number", "figures"}:
        forms = _forms(match.lastgroup, match.group())
        result.append((begin, match.end(), (*forms[:-1], f"{forms[-1]}%")))
    else:
        result.extend((i, i + 1, (text[i],)) for i in range(begin, begin + 3))


@lru_cache(maxsize=MEMORY_PIECES)
def _forms(kind: str, piece: str) -> tuple[str, ...]:
    if kind == "han":
        return ("10" if piece == "十" else _FIGURE.get(piece) or simplified(piece),)
    if kind == "figures":
        return (unicodedata.normalize("NFKC", piece).replace(",", ""),)
    if kind == "number":
        return _number(piece)
    return normal_forms(piece)


@cache
def _converter() -> OpenCC:
    from opencc import OpenCC  # noqa: PLC0415 - its dictionaries take a while to load

    return OpenCC("t2s")


def simplified(text: str) -> str:
    """Return `text` in simplified characters and compatibility forms."""
    return str(_converter().convert(unicodedata.normalize("NFKC", text)))


def _number(numerals: str) -> tuple[str, ...]:
    """Read numerals as a figure: by value when they have units, digit by digit when not."""
    plain = simplified(numerals).replace("兩", "两").replace("〇", "零").replace("幺", "一")
    if all(c in _FIGURE for c in plain):
        return ("".join(_FIGURE[c] for c in plain),)
    if plain[0] == "点" or plain[-1] == "点":  # 一点 is "a little", or an hour
        return tuple(_FIGURE.get(c, c) for c in plain)
    import cn2an  # noqa: PLC0415 - English never needs it

    try:
        value = cn2an.cn2an(plain.replace("两", "二"), "smart")
    except ValueError:  # no number after all: 千万 as "by all means", 一点 as "a little"
        return tuple(_FIGURE.get(c, c) for c in plain)
    return (f"{value:.10g}" if isinstance(value, float) else str(value),)
