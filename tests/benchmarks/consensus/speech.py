"""Reads what our own engines heard in the recordings of `speech/`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from schemas.transcript import Segment, Transcript, Word
from tests.benchmarks.consensus.score import SPELT

#: Engines whose files say nothing true about confidences: see the data's README.
UNSURE = {"pocketsphinx"}


@cache
def heard(folder: Path) -> dict[str, dict[str, Transcript]]:
    """Return transcripts by recording, then by engine."""
    found: dict[str, dict[str, Transcript]] = {}
    for path in sorted((folder / "hyps").glob("*.jsonl.gz")):
        engine = path.name.removesuffix(".jsonl.gz").replace("-", "_").replace(".", "_")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                found.setdefault(row["id"], {})[engine] = _transcript(engine, row)
    return found


def spoken(folder: Path, name: str) -> Iterator[tuple[str, str, str, dict[str, Transcript]]]:
    """Yield (id, reference, language, transcripts) of a set of the manifest."""
    manifest = folder / "manifest.jsonl"
    for line in manifest.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["set"] == name and row["id"] in heard(folder):
            language = SPELT if name == "an4" else row["lang"]
            yield row["id"], row["text"], language, heard(folder)[row["id"]]


def _transcript(engine: str, row: dict[str, Any]) -> Transcript:
    words = tuple(
        Word(text=text, start=start, end=end, confidence=None if engine in UNSURE else sure)
        for text, start, end, sure in row["words"]
    )
    segment = Segment(text=row["text"], words=words)
    return Transcript(
        engine=engine,
        engine_version="measured",
        model=engine,
        audio_seconds=row["duration"],
        segments=(segment,) if row["text"].strip() else (),
    )
