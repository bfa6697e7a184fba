"""Resolves what two neighbouring chunks both heard, so that it is kept once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from schemas.transcript import Segment, Word

#: The fewest words in a row that show where two texts meet; the most, on either side, that lie
#: between that place and a chunk's edge, where words are cut in two; how many are looked at.
LEAST_MATCH, MOST_LOST, MOST_LOOKED_AT = 2, 40, 100
#: Two equal words that lie so near each other, in seconds, are one word that both chunks heard.
SAME_WORD_SECONDS = 0.4
#: A word, or a character of a script without spaces.
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+(?:['’][^\W_]+)*")


class Joined(NamedTuple):
    """Two sides that have nothing in common any more."""

    before: list[Segment]
    after: list[Segment]
    #: Words that both had, as far as they were found by comparing the texts.
    twice: int


class Token(NamedTuple):
    """A word in its place: the segment's number, the characters in its text."""

    norm: str
    segment: int
    begin: int
    end: int


def resolve(before: list[Segment], after: list[Segment], start: float, end: float) -> Joined:
    """Return both sides without what lies on the other's side of the seam.

    With times for each word the seam is the middle of the overlap. Without, it is where the two
    texts say the same words; where they do not, each segment goes to the side of its middle.

    Args:
        before: the segments so far, on the recording's clock.
        after: those of the next chunk, on the same clock.
        start: where the overlap begins, in seconds: where the next chunk does.
        end: where it ends: where the chunk before does.
    """
    seam = (start + end) / 2
    first = next((n for n in range(len(before), 0, -1) if (before[n - 1].end or end) <= start), 0)
    last = next((n for n, one in enumerate(after) if (one.start or start) >= end), len(after))
    near = (*before[first:], *after[:last])
    if not all(map(_has_word_times, near)):
        met = _meet(before[first:], after[:last])
        if met is not None:
            return Joined(before[:first] + met.before, met.after + after[last:], met.twice)
    left = [kept for one in before[first:] if (kept := cut(one, seam, before=True))]
    right = [kept for one in after[:last] if (kept := cut(one, seam, before=False))]
    return Joined(before[:first] + left, _without_twin(left, right) + after[last:], 0)


def middle(piece: Segment | Word) -> float | None:
    """Return the middle of a word or segment in seconds; None without times."""
    if piece.start is None or piece.end is None:
        return None
    return (piece.start + piece.end) / 2


def cut(segment: Segment, seam: float, *, before: bool) -> Segment | None:
    """Return the part of `segment` on one side of `seam`; None when nothing is left."""
    if not _has_word_times(segment):
        at = middle(segment)
        return segment if at is None or (at < seam) == before else None
    words = tuple(word for word in segment.words if ((middle(word) or 0.0) < seam) == before)
    if len(words) == len(segment.words):
        return segment
    return _of_words(segment, words) if words else None


def tokens(segments: Sequence[Segment]) -> list[Token]:
    """Return the segments' words, in order, as far as they can be compared."""
    return [
        Token(found[0].casefold(), number, *found.span())
        for number, segment in enumerate(segments)
        for found in _TOKEN.finditer(segment.text)
    ]


def _has_word_times(segment: Segment) -> bool:
    return bool(segment.words) and all(middle(word) is not None for word in segment.words)


def _of_words(segment: Segment, words: tuple[Word, ...]) -> Segment:
    text = " ".join(word.text.strip() for word in words)
    ends = {"start": words[0].start, "end": words[-1].end}
    return segment.model_copy(update={"text": text, "words": words, **ends})


def _meet(before: Sequence[Segment], after: Sequence[Segment]) -> Joined | None:
    """Join the texts at the longest row of words that both have; None without one."""
    left, everything = tokens(before)[-MOST_LOOKED_AT:], tokens(after)
    right = everything[:MOST_LOOKED_AT]
    matcher = SequenceMatcher(
        None, [one.norm for one in left], [one.norm for one in right], autojunk=False
    )
    at, there, size = matcher.find_longest_match()
    lost = max(len(left) - at - size, there)
    if size < LEAST_MATCH or lost > MOST_LOST:
        return None
    final = left[at + size - 1]
    kept = [*before[: final.segment], _text(before[final.segment], 0, final.end)]
    rest = everything[there + size :]
    if not rest:
        return Joined(kept, [], size)
    first = rest[0]
    following = [_text(after[first.segment], first.begin, None), *after[first.segment + 1 :]]
    return Joined(kept, following, size)


def _text(segment: Segment, begin: int, end: int | None) -> Segment:
    """Return the segment with a part of its text; its words, if it has any, do not fit any more."""
    text = segment.text[begin:end].strip()
    if text == segment.text.strip():
        return segment
    return segment.model_copy(update={"text": text, "words": ()})


def _without_twin(left: Sequence[Segment], right: list[Segment]) -> list[Segment]:
    """Drop the first word on the right when it is the last on the left: both sides took it."""
    if not left or not right or not left[-1].words or not right[0].words:
        return right
    last, first = left[-1].words[-1], right[0].words[0]
    if last.end is None or first.start is None or first.start - last.end > SAME_WORD_SECONDS:
        return right
    if _bare(last) != _bare(first):
        return right
    rest = right[0].words[1:]
    return ([_of_words(right[0], rest)] if rest else []) + right[1:]


def _bare(word: Word) -> str:
    return "".join(found[0] for found in _TOKEN.finditer(word.text)).casefold()
