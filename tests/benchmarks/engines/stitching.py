"""Whether an engine hears a long recording in chunks as well as in one piece."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from aggregation.stitch import Part, stitch
from coordinator.chunks import plan
from coordinator.staging import stage
from engine_workers.engines.base import Audio
from engine_workers.errors import ModelMissingError, NotInstalledError
from engine_workers.media.samples import samples_of
from engine_workers.media.sandbox import prepare
from engine_workers.models import LoadedEngine
from engine_workers.sanitise import Sanitiser
from schemas.settings import MediaSettings, load_settings
from schemas.transcript import Transcript
from tests.benchmarks.consensus.data import folder as data_folder
from tests.benchmarks.consensus.score import Errors, count, normal, rate
from tests.benchmarks.figures import Figure, at_most, informs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.audio import AudioRef, Span
    from schemas.settings import Settings

ENGINES = ("moonshine", "faster_whisper")
#: Seconds of a chunk: short, so that there are several in the recordings that there are.
CHUNK_SECONDS = 60.0
#: Percentage points by which the chunks may be worse.
MOST_WORSE = 0.3


def measure(folder: Path) -> list[Figure]:
    """Hear the long recordings of the data both ways; nothing where there are none."""
    settings = load_settings(
        _env_file=None,
        media_dir=folder / "stitching",
        media=MediaSettings(chunk_seconds=CHUNK_SECONDS),
    )
    figures: list[Figure] = []
    for engine in ENGINES:
        pairs = [_both(engine, path, text, settings) for path, text in _recordings()]
        whole = [pair[0] for pair in pairs if pair]
        parts = [pair[1] for pair in pairs if pair]
        if whole:
            figures += [
                informs(f"{engine}, WER in one piece", rate(whole), "%"),
                informs(f"{engine}, WER stitched", rate(parts), "%"),
                at_most(
                    f"{engine}, stitched above one piece",
                    rate(parts) - rate(whole),
                    MOST_WORSE,
                    "points",
                ),
            ]
    return figures


def _recordings() -> Iterator[tuple[Path, str]]:
    manifest = data_folder() / "speech" / "manifest.jsonl"
    if not manifest.exists():
        return
    for line in manifest.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["set"] == "long":
            yield data_folder() / "speech" / row["wav"], row["text"]


def _both(
    engine: str, path: Path, reference: str, settings: Settings
) -> tuple[Errors, Errors] | None:
    audio = stage(path, settings.media_root)
    prepared = prepare(audio, settings)
    loaded = LoadedEngine()
    try:
        loaded.get(engine, {})
    except (NotInstalledError, ModelMissingError):
        return None
    cut = plan(prepared.info.seconds, prepared.speech.spans, settings.media)
    whole = _heard(loaded, engine, audio, None, settings)
    parts = [Part(_heard(loaded, engine, audio, span, settings), span.start) for span in cut.chunks]
    stitched, _ = stitch(parts)
    loaded.drop()
    words = normal(reference)
    return count(words, normal(whole.text)), count(words, normal(stitched.text))


def _heard(
    loaded: LoadedEngine, name: str, ref: AudioRef, span: Span | None, settings: Settings
) -> Transcript:
    samples, _ = samples_of(ref, span, settings, lambda: None)
    audio = Audio(samples, "en")
    sanitiser = Sanitiser(audio.seconds)
    cleaned = (sanitiser.clean(raw) for raw in loaded.get(name, {}).transcribe(audio))
    return Transcript(
        engine=name,
        engine_version="",
        model="",
        language="en",
        audio_seconds=audio.seconds,
        segments=tuple(segment for segment in cleaned if segment is not None),
    )
