"""Reads the JSON of recognisers: Whisper's (every flavour), FunASR's, our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aggregation.formats.parts import number, probability, seconds, transcript_of
from schemas.transcript import Segment, Transcript, Word

#: Seconds in FunASR's milliseconds.
MS = 0.001
#: The largest compression ratio that is believed.
MAX_RATIO = 1e6

Json = Mapping[str, Any]


def from_json(data: object, name: str) -> Transcript:
    """Return the transcript.

    Raises:
        ValueError: it is none of the known forms.
    """
    if isinstance(data, Mapping) and "audio_seconds" in data:
        return Transcript.model_validate(data).model_copy(update={"engine": name})
    if isinstance(data, Mapping) and isinstance(data.get("segments"), Sequence):
        segments = [_whisper(row) for row in data["segments"] if isinstance(row, Mapping)]
        return transcript_of(name, segments, _text(data.get("language")))
    rows = data if isinstance(data, Sequence) and not isinstance(data, str) else [data]
    segments = [
        segment
        for row in rows
        if isinstance(row, Mapping) and "text" in row
        for segment in _funasr(row)
    ]
    if not segments and rows:
        message = "neither Whisper's nor FunASR's keys are in it"
        raise ValueError(message)
    return transcript_of(name, segments)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whisper(row: Json) -> Segment:
    words = tuple(
        Word(
            text=str(word.get("word", word.get("text", ""))).strip(),
            start=seconds(word.get("start")),
            end=seconds(word.get("end")),
            confidence=probability(word.get("probability", word.get("confidence"))),
        )
        for word in row.get("words") or ()
        if isinstance(word, Mapping)
    )
    mean = row.get("avg_logprob")
    return Segment(
        text=str(row.get("text", "")).strip(),
        start=seconds(row.get("start")),
        end=seconds(row.get("end")),
        words=words,
        avg_logprob=mean if isinstance(mean, int | float) else None,
        no_speech_prob=probability(row.get("no_speech_prob")),
        compression_ratio=number(row.get("compression_ratio"), 1.0, MAX_RATIO),
    )


def _funasr(row: Json) -> Iterator[Segment]:
    sentences = row.get("sentence_info")
    if isinstance(sentences, Sequence) and sentences:
        for sentence in sentences:
            if isinstance(sentence, Mapping):
                yield Segment(
                    text=str(sentence.get("text", "")).strip(),
                    start=seconds(sentence.get("start"), MS),
                    end=seconds(sentence.get("end"), MS),
                )
        return
    text = _without_tags(str(row["text"]))
    times = row.get("timestamp") or ()
    pieces = row.get("words") or text.split()
    if len(pieces) != len(times):
        pieces = [c for c in text if not c.isspace()]
    if times and len(pieces) == len(times):
        words = tuple(
            Word(
                text=str(piece).strip("\u2581 "),
                start=seconds(pair[0], MS),
                end=seconds(pair[1], MS),
            )
            for piece, pair in zip(pieces, times, strict=True)
        )
        yield Segment(text=text, start=words[0].start, end=words[-1].end, words=words)
    elif text:
        yield Segment(text=text)


def _without_tags(text: str) -> str:
    """Drop SenseVoice's `<|zh|><|NEUTRAL|>…`."""
    while text.startswith("<|") and "|>" in text:
        text = text.split("|>", 1)[1]
    return text.strip()
