"""Signs, in one engine's answer alone, that it invented words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from aggregation.align.abstain import runs
from aggregation.heard import BoolArray, IntArray
from aggregation.language import Rule
from aggregation.tokens import Tokens

#: The longest n-gram whose repetition is looked for, in tokens; how often it must be said.
LOOP_NGRAM, LOOP_TIMES = 8, 4
#: Tokens of a window, how many of them must have been said within so many tokens before.
ECHO_WINDOW, ECHO_WORDS, ECHO_REACH = 8, 5, 12
#: Text length over its length compressed, above which a segment repeats itself (Whisper's rule).
MAX_COMPRESSION = 2.4
#: The shortest segment, in characters, whose compression says anything.
MIN_COMPRESSED_CHARACTERS = 60
#: Tokens a second that no speaker holds; a Chinese token is a character.
MAX_WORDS_PER_SECOND, MAX_CHARACTERS_PER_SECOND = 6.0, 10.0
#: The fewest tokens of a segment whose rate says anything.
MIN_RATED_TOKENS = 6
#: Whisper's own threshold for "nobody speaks".
MAX_NO_SPEECH = 0.6
#: Phrases that models trained on subtitles write over silence, in normal forms.
PHANTOMS = (
    "thank you for watching",
    "thanks for watching",
    "please subscribe to my channel",
    "do not forget to subscribe",
    "like and subscribe",
    "see you in the next video",
    "subtitles by the amara org community",
    "transcription by castingwords",
    "请 不 吝 点 赞 订 阅",
    "谢 谢 观 看",
    "感 谢 观 看",
    "字 幕 由",
    "字 幕 志 愿 者",
    "明 镜 与 点 点 栏 目",
    "ご 視 聴 ありがとうございました",
)

#: Stretches of speech in seconds, in order.
SpeechMap = Sequence[tuple[float, float]]
#: (name, per token whether it shows the sign).
Sign = tuple[str, BoolArray]


def signs(tokens: Tokens, ids: IntArray, rule: Rule, speech: SpeechMap | None) -> Iterator[Sign]:
    """Yield every sign that shows anywhere.

    Args:
        tokens: The engine's tokens.
        ids: Their word ids.
        rule: The language's rule.
        speech: Where anybody speaks; None when it is not known.
    """
    yield "loop", _loops(ids)
    yield "echo", _echoes(tokens, ids)
    yield "phantom phrase", _phantoms(tokens)
    yield "no-speech probability", _by_segment(tokens, lambda i: _no_speech(tokens, i))
    yield "compression", _by_segment(tokens, lambda i: _compression(tokens, i))
    yield "speaking rate", _too_fast(tokens, rule)
    if speech is not None:
        yield "outside speech", _outside(tokens, speech)


def _loops(ids: IntArray) -> BoolArray:
    """Mark repetitions after the first of an n-gram that is said `LOOP_TIMES` times in a row."""
    marked = np.zeros(len(ids), dtype=np.bool_)
    for size in range(1, min(LOOP_NGRAM, len(ids) // LOOP_TIMES) + 1):
        for first, last in runs(ids[size:] == ids[:-size]):
            if last - first >= size * (LOOP_TIMES - 1):
                marked[first + size : last + size] = True
    return marked


def _echoes(tokens: Tokens, ids: IntArray) -> BoolArray:
    """Mark windows that mostly say again what was said just before, in whatever order.

    A row of figures is none: digits come again by nature.
    """
    marked = np.zeros(len(ids), dtype=np.bool_)
    if len(ids) < ECHO_WINDOW:
        return marked
    again = np.zeros(len(ids), dtype=np.bool_)
    for back in range(1, min(ECHO_REACH, len(ids) - 1) + 1):
        again[back:] |= ids[back:] == ids[:-back]
    total = np.concatenate([[0], np.cumsum(again)])
    dense = total[ECHO_WINDOW:] - total[:-ECHO_WINDOW] >= ECHO_WORDS
    if not dense.any():
        return marked
    figures = np.concatenate([[0], np.cumsum([norm.isdecimal() for norm in tokens.norms])])
    dense &= figures[ECHO_WINDOW:] - figures[:-ECHO_WINDOW] < ECHO_WORDS
    for first, last in runs(dense):
        marked[first : last + ECHO_WINDOW - 1] = True
    return marked


def _phantoms(tokens: Tokens) -> BoolArray:
    marked = np.zeros(len(tokens), dtype=np.bool_)
    text = f" {' '.join(tokens.norms)} "
    starts: IntArray | None = None
    for phrase in PHANTOMS:
        for match in re.finditer(re.escape(f" {phrase} "), text):
            if starts is None:
                starts = np.cumsum([0, *(len(norm) + 1 for norm in tokens.norms)])
            first = int(np.searchsorted(starts, match.start()))
            marked[first : first + phrase.count(" ") + 1] = True
    return marked


def _by_segment(tokens: Tokens, shows: Callable[[int], bool]) -> BoolArray:
    count = len(tokens.heard.segments)
    bad = np.array([shows(i) for i in range(count)], dtype=np.bool_)
    result: BoolArray = bad[tokens.segment] if count else np.zeros(len(tokens), dtype=np.bool_)
    return result


def _no_speech(tokens: Tokens, segment: int) -> bool:
    return bool(tokens.heard.no_speech[segment] > MAX_NO_SPEECH)


def _compression(tokens: Tokens, segment: int) -> bool:
    stated = float(tokens.heard.compression[segment])
    if stated == stated:  # noqa: PLR0124 - not NaN
        return stated > MAX_COMPRESSION
    segments = tokens.heard.segments
    text = tokens.heard.text[segments.begin[segment] : segments.end[segment]]
    raw = text.encode("utf-8", "replace")
    if not MIN_COMPRESSED_CHARACTERS <= len(text) <= 2_000:  # noqa: PLR2004 - one segment's size
        return False
    return len(raw) / len(zlib.compress(raw)) > MAX_COMPRESSION


def _too_fast(tokens: Tokens, rule: Rule) -> BoolArray:
    """Mark tokens whose neighbours by the engine's own clock come faster than people speak."""
    limit = MAX_CHARACTERS_PER_SECOND if rule is Rule.CHINESE else MAX_WORDS_PER_SECOND
    marked = np.zeros(len(tokens), dtype=np.bool_)
    middle, size = tokens.middle, MIN_RATED_TOKENS
    if len(middle) <= size or not np.isfinite(middle).any():
        return marked
    taken = middle[size:] - middle[:-size]
    fast = taken < size / (2 * limit)  # twice the limit: short stretches vary
    for first, last in runs(fast):
        marked[first : last + size] = True
    return marked


def _outside(tokens: Tokens, speech: SpeechMap) -> BoolArray:
    start = np.array([begin for begin, _ in speech])
    stop = np.array([end for _, end in speech])
    if not len(start):
        return np.isfinite(tokens.middle)
    at = np.searchsorted(start, tokens.middle, side="right") - 1
    inside = (at >= 0) & (tokens.middle <= stop[np.maximum(at, 0)])
    result: BoolArray = np.isfinite(tokens.middle) & ~inside
    return result
