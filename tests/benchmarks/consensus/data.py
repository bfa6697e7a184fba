"""Reads the sets of several engines' outputs with references, split in two halves."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.transcript import Segment, Transcript, Word
from tests.benchmarks.consensus.speech import spoken

#: Where the sets lie unless CHORDSCRIBE_BENCH_DATA names another folder.
DEFAULT_FOLDER = Path(__file__).parents[4] / "shared" / "data"
#: What our own engines heard.
SPEECH = ("speech/ljspeech", "speech/noisy", "speech/an4", "speech/clips", "speech/zh")

#: (surface, start, end, confidence) as the files have them.
Row = tuple[str, float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording's reference and what each engine heard."""

    id: str
    reference: str
    language: str
    engines: dict[str, Transcript]


def folder() -> Path:
    """Return the folder of the data; it need not exist."""
    return Path(os.environ.get("CHORDSCRIBE_BENCH_DATA") or DEFAULT_FOLDER)


def available() -> tuple[str, ...]:
    """Return the names of the sets that are here, those of `speech` by `speech/` and their name."""
    files = (folder() / "multi_system").glob("*.jsonl.gz")
    own = SPEECH if (folder() / "speech" / "manifest.jsonl").exists() else ()
    return (*sorted(path.name.removesuffix(".jsonl.gz") for path in files), *own)


def recordings(name: str) -> Iterator[Recording]:
    """Yield the recordings of a set in the file's order."""
    if name in SPEECH:
        for row in spoken(folder() / "speech", name.removeprefix("speech/")):
            yield Recording(*row)
        return
    with gzip.open(_file(name), "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Recording(
                id=row["id"],
                reference=" ".join(row["reference"]),
                language=row["language"],
                engines={
                    engine: transcript(engine, words, row["language"])
                    for engine, words in row["engines"].items()
                },
            )


@cache
def halves(name: str) -> tuple[list[Recording], list[Recording]]:
    """Return the half to tune on (every second recording, from the first) and the other."""
    everything = list(recordings(name))
    return everything[::2], everything[1::2]


def transcript(engine: str, words: list[Row], language: str) -> Transcript:
    """Make a transcript of bare words; without any segment, as the files have none."""
    last = max((row[2] or 0.0 for row in words), default=0.0)
    segment = Segment(
        text=" ".join(row[0] for row in words),
        words=tuple(
            Word(text=text, start=start, end=end, confidence=confidence)
            for text, start, end, confidence in words
        ),
    )
    return Transcript(
        engine=engine,
        engine_version="published",
        model="published",
        language=language,
        audio_seconds=last,
        segments=(segment,) if words else (),
    )


def _file(name: str) -> Path:
    return folder() / "multi_system" / f"{name}.jsonl.gz"
