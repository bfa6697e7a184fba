"""Reads what the families of FunASR's models answer, each in a form of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: SenseVoice writes what it noticed besides words before them: `<|en|><|NEUTRAL|><|Speech|>`.
_TAG = re.compile(r"<\|([^|>]*)\|>")
#: Those of its tags that are languages, as BCP-47 tags.
LANGUAGES = {"zh": "zh", "en": "en", "yue": "yue", "ja": "ja", "ko": "ko"}
#: Its tag for a stretch in which nobody speaks.
NO_SPEECH = "nospeech"
#: What sentencepiece puts before a piece that begins a word.
WORD_MARK = "▁"
#: Scripts that write words without spaces between them.
_UNSPACED = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]"
_SPACE_WITHIN = re.compile(rf"(?<={_UNSPACED})\s+(?={_UNSPACED})")


@dataclass(frozen=True)
class TimedWord:
    """A word or a character; times in seconds from the beginning of what was given."""

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class Answer:
    """One stretch of speech as a model heard it."""

    text: str
    #: Empty where the family, or this answer of it, gives no times.
    words: tuple[TimedWord, ...] = ()
    language: str | None = None


def read_answer(result: Mapping[str, Any]) -> Answer | None:
    """Return what one result says; None when it says nothing.

    Times without a word for each of them are left out: nobody knows whose they are.
    """
    raw = str(result.get("text") or "")
    tags = _TAG.findall(raw)
    spoken = _TAG.sub("", raw).strip()
    if not spoken or NO_SPEECH in tags:
        return None
    language = next((LANGUAGES[tag] for tag in tags if tag in LANGUAGES), None)
    return Answer(_SPACE_WITHIN.sub("", spoken), _words(result, spoken), language)


def _words(result: Mapping[str, Any], spoken: str) -> tuple[TimedWord, ...]:
    if result.get("timestamps"):  # Fun-ASR, in seconds
        return _joined(
            (str(t["token"]), float(t["start_time"]), float(t["end_time"]), t.get("score"))
            for t in result["timestamps"]
        )
    spans = result.get("timestamp") or ()
    texts = result.get("words") or spoken.split()
    if len(texts) != len(spans):
        # Paraformer's text may have been joined already: a time for each character then.
        texts = [c for c in spoken if c.isalnum()]
    if len(texts) != len(spans):
        return ()
    return _joined(
        (_as_piece(str(text)), start / 1000, end / 1000, None)
        for text, (start, end) in zip(texts, spans, strict=True)
    )


def _as_piece(text: str) -> str:
    """Mark what stands for itself as the beginning of a word; punctuation belongs to the last."""
    return text if not any(c.isalnum() for c in text) else f"{WORD_MARK}{text.lstrip(WORD_MARK)}"


def _joined(pieces: Iterable[tuple[str, float, float, Any]]) -> tuple[TimedWord, ...]:
    """Join pieces to words: one that begins a word is marked, or has a space before it."""
    words: list[TimedWord] = []
    for text, start, end, score in pieces:
        bare = text.replace(WORD_MARK, " ").strip()
        begins = text.startswith((WORD_MARK, " ")) or bool(re.match(_UNSPACED, bare))
        if not bare:
            continue
        says = any(c.isalnum() for c in bare)
        if words and (not says or not begins):
            last = words.pop()
            scores = [s for s in (last.confidence, score) if s is not None]
            least = min(scores, default=None) if says else last.confidence
            words.append(TimedWord(last.text + bare, last.start, end if says else last.end, least))
        elif says:
            words.append(TimedWord(bare, start, end, score))
    return tuple(words)
