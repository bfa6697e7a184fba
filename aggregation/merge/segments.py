"""Cuts the merged words into lines that a reader can take in."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aggregation.heard import FloatArray
from aggregation.merge.context import Context
from aggregation.merge.pieces import Piece
from aggregation.merge.style import ENDS
from aggregation.tokens import Tokens

#: Words from which a line may end with its sentence, and of the longest line.
SHORT_WORDS, LONG_WORDS = 12, 40
#: Words from which a line may end at a comma.
COMMA_WORDS = 30
#: Seconds of silence that end a line of at least `PAUSE_WORDS` words.
PAUSE_SECONDS, PAUSE_WORDS = 1.0, 4

_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


@dataclass(slots=True)
class Line:
    """Pieces that are printed together."""

    pieces: list[Piece] = field(default_factory=list)
    text: str = ""
    #: Seconds of the pivot's segment; None without.
    start: float | None = None
    end: float | None = None


def cut_lines(
    context: Context, pieces: Sequence[Piece], pivot: int, start: FloatArray
) -> list[Line]:
    """Follow the pivot's segments; cut those too long for a reader at sentences and pauses.

    Args:
        context: The aligned engines.
        pieces: The words in order.
        pivot: The column of the engine whose segments lead.
        start: Seconds of each slot; NaN unknown.
    """
    leading = context.network.tokens[pivot]
    owners = _owners(pieces, leading, pivot)
    sizes = Counter(owners)
    lines: list[Line] = []
    last_owner = -1
    for piece, owner in zip(pieces, owners, strict=True):
        too_long = sizes[owner] > LONG_WORDS
        if owner != last_owner or (too_long and _breaks(lines[-1].pieces, piece, start)):
            lines.append(Line())
        last_owner = owner
        lines[-1].pieces.append(piece)
    for line in lines:
        line.text = _text(line.pieces, context.network.tokens)
    _borrow_times(lines, owners, leading)
    return lines


def _owners(pieces: Sequence[Piece], leading: Tokens, pivot: int) -> list[int]:
    """Return, per piece, the pivot's segment it falls in."""
    segments = leading.segment.tolist()
    owners: list[int] = []
    owner = 0
    for piece in pieces:
        if piece.column == pivot:
            owner = segments[piece.token]
        owners.append(owner)
    return owners


def _breaks(line: list[Piece], piece: Piece, start: FloatArray) -> bool:
    """Decide whether a line ends before `piece`."""
    mark = line[-1].text[-1:]
    if len(line) >= LONG_WORDS or (mark in ENDS and len(line) >= SHORT_WORDS):
        return True
    if len(line) >= COMMA_WORDS and mark in ",，、;；":
        return True
    silence = float(start[piece.first] - start[line[-1].last])
    return not math.isnan(silence) and silence >= PAUSE_SECONDS and len(line) >= PAUSE_WORDS


def _text(pieces: Sequence[Piece], tokens: Sequence[Tokens]) -> str:
    """Join words with the very spaces that their engine wrote between them."""
    parts: list[str] = []
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        parts.append(piece.text)
        if after is None:
            break
        follows = piece.column == after.column and 0 <= piece.atom == after.atom - 1
        parts.append(tokens[piece.column].glue(piece.atom) if follows else _space(piece, after))
    return "".join(parts)


def _space(piece: Piece, after: Piece) -> str:
    wide = _CJK.match(piece.text[-1:]) and _CJK.match(after.text[:1])
    return "" if wide else " "


def _borrow_times(lines: list[Line], owners: list[int], leading: Tokens) -> None:
    """Give lines that are whole segments of the pivot its times."""
    segments = leading.heard.segments
    used = Counter(owner for line, owner in zip(lines, _line_owners(lines, owners), strict=True))
    for line, owner in zip(lines, _line_owners(lines, owners), strict=True):
        if used[owner] == 1 and owner < len(segments):
            begin, end = float(segments.start[owner]), float(segments.stop[owner])
            line.start = None if math.isnan(begin) else round(begin, 3)
            line.end = None if math.isnan(end) else round(end, 3)


def _line_owners(lines: list[Line], owners: list[int]) -> list[int]:
    firsts: list[int] = []
    at = 0
    for line in lines:
        firsts.append(owners[at])
        at += len(line.pieces)
    return firsts
