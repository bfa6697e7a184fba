"""Makes what an engine yields fit to be stored, telling what was repaired."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable

from engine_workers.errors import EngineOutputError
from schemas.transcript import Segment, Word

#: Characters of a word after which it is cut off.
MAX_WORD_CHARACTERS = 1000
#: Characters that an engine may write, and more a second of audio, before it is not believed.
#: Whisper's longest loop is 150 a second; speech is about 15.
MAX_CHARACTERS, MAX_CHARACTERS_PER_SECOND = 10_000, 500
#: Seconds that a time may lie beyond the audio without a note: engines pad their last window.
TOLERANCE_SECONDS = 0.5

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
#: A run without a space in a script that has spaces: Chinese, Japanese and Thai have none.
_LONG_RUN = re.compile(
    rf"[^\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\U0003ffff]{{{MAX_WORD_CHARACTERS + 1},}}"
)


class Sanitiser:
    """Repairs one run's segments one by one, and keeps count of the repairs."""

    def __init__(self, audio_seconds: float) -> None:
        """Prepare for a recording of that length."""
        self._audio_seconds = audio_seconds
        self._counts: Counter[str] = Counter()
        self._characters = 0
        #: How far the engine has come, by the latest time it gave.
        self.heard_seconds = 0.0

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was repaired so far, in words, the most frequent first."""
        return tuple(f"{count} × {what}" for what, count in self._counts.most_common())

    def clean(self, raw: object) -> Segment | None:
        """Return a valid segment, or None for one that says nothing.

        Raises:
            EngineOutputError: it is no segment, its parts are not what they should be, or the
                engine writes more than anybody could say.
        """
        if not isinstance(raw, Segment):
            message = f"the engine yielded a {type(raw).__name__}, not a Segment"
            raise EngineOutputError(message)
        end = self._seconds(_get(raw, "end"))
        self.heard_seconds = max(self.heard_seconds, end or 0.0)
        words = tuple(self._word(word) for word in _items(_get(raw, "words")))
        words = tuple(word for word in words if word.text)
        text = self._text(_get(raw, "text")) or " ".join(word.text for word in words)
        if not text:
            return None
        self._count(len(text) + sum(len(word.text) for word in words))
        return Segment(
            text=text,
            start=self._seconds(_get(raw, "start")),
            end=end,
            words=words,
            confidence=self._probability(_get(raw, "confidence")),
            language=self._label(_get(raw, "language")),
            speaker=self._label(_get(raw, "speaker")),
            no_speech_prob=self._probability(_get(raw, "no_speech_prob")),
            avg_logprob=self._number(_get(raw, "avg_logprob")),
            compression_ratio=self._number(_get(raw, "compression_ratio")),
        )

    def _word(self, raw: object) -> Word:
        if not isinstance(raw, Word):
            message = f"the engine yielded a {type(raw).__name__} among the words"
            raise EngineOutputError(message)
        text = self._text(_get(raw, "text"))
        if len(text) > MAX_WORD_CHARACTERS:
            self._note("a word of endless length cut off")
            text = text[:MAX_WORD_CHARACTERS]
        return Word(
            text=text,
            start=self._seconds(_get(raw, "start")),
            end=self._seconds(_get(raw, "end")),
            confidence=self._probability(_get(raw, "confidence")),
        )

    def _text(self, raw: object) -> str:
        if raw is None:
            return ""
        if not isinstance(raw, str):
            message = f"the engine gave a {type(raw).__name__} for a text"
            raise EngineOutputError(message)
        text = self._replace(_SURROGATE, "\ufffd", raw, "a half character replaced")
        text = self._replace(_CONTROL, " ", text, "a control character removed")
        return self._replace(
            _LONG_RUN,
            lambda run: run[0][:MAX_WORD_CHARACTERS],
            text,
            "a word of endless length cut off",
        ).strip()

    def _replace(
        self,
        pattern: re.Pattern[str],
        new: str | Callable[[re.Match[str]], str],
        text: str,
        what: str,
    ) -> str:
        text, count = pattern.subn(new, text)
        self._note(what, count)
        return text

    def _label(self, raw: object) -> str | None:
        return self._text(raw)[:100] or None

    def _number(self, raw: object) -> float | None:
        if raw is None:
            return None
        try:
            number = float(raw)  # type: ignore[arg-type]  # numpy's numbers too
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            self._note("a value that is no number left out")
            return None
        return number

    def _probability(self, raw: object) -> float | None:
        number = self._number(raw)
        if number is not None and not 0 <= number <= 1:
            self._note("a probability outside 0…1 left out")
            return None
        return number

    def _seconds(self, raw: object) -> float | None:
        number = self._number(raw)
        if number is None:
            return None
        if number < 0:
            self._note("a time before the beginning set to 0")
        elif number > self._audio_seconds + TOLERANCE_SECONDS:
            self._note("a time beyond the audio set to its end")
        return min(max(0.0, number), self._audio_seconds)

    def _count(self, characters: int) -> None:
        self._characters += characters
        limit = 2 * (MAX_CHARACTERS + MAX_CHARACTERS_PER_SECOND * self._audio_seconds)
        if self._characters > limit:
            message = (
                f"the engine wrote more than {limit:.0f} characters for "
                f"{self._audio_seconds:.1f} s of audio; nobody says so much"
            )
            raise EngineOutputError(message)

    def _note(self, what: str, count: int = 1) -> None:
        if count:
            self._counts[what] += count


def _get(raw: Segment | Word, field: str) -> object:
    # A segment that was made without its checks may lack any attribute.
    return getattr(raw, field, None)


def _items(words: object) -> Iterable[object]:
    if words is None:
        return ()
    if isinstance(words, str) or not isinstance(words, Iterable):
        message = f"the engine gave a {type(words).__name__} for the words"
        raise EngineOutputError(message)
    return words
