"""How much sooner a job ends whose engines heard the same recording before."""

from __future__ import annotations

import random
import shutil
import statistics
import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.client import Client
from coordinator.sample import sample_recording
from schemas.settings import Settings
from tests.benchmarks.figures import Figure, at_least, informs

if TYPE_CHECKING:
    from schemas.jobs import JobView

ENGINES = ("faster_whisper", "moonshine")
RECORDING_SECONDS = 60
#: Times that a found answer is quicker than a first hearing.
QUICKER = 50.0
ROUNDS, QUICK_ROUNDS, FOUND_ROUNDS = 5, 2, 9
#: Seconds that a job may take.
PATIENCE_SECONDS = 300


def measure(*, quick: bool) -> list[Figure]:
    """Have recordings of a minute heard for the first time, then again, models loaded."""
    folder = Path(tempfile.mkdtemp(prefix="csb-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        with Client(Settings(_env_file=None, data_dir=folder / "data")) as client:
            first, again = [], []
            for number in range((QUICK_ROUNDS if quick else ROUNDS) + 1):
                recording = folder / f"{number}.wav"
                _write(recording, number)
                took = _seconds(client, recording)
                if number:  # the first loads the models
                    first.append(took)
            again = [_seconds(client, recording) for _ in range(FOUND_ROUNDS)]
    finally:
        shutil.rmtree(folder)
    heard, found = statistics.median(first), statistics.median(again)
    return [
        informs("two engines on 60 s, heard", heard, "s"),
        informs("the same, found again", found, "s"),
        at_least("heard / found again", heard / found, QUICKER, "×"),
    ]


def _seconds(client: Client, recording: Path) -> float:
    job = client.submit(recording, engines=ENGINES, language="en")
    ended: JobView = client.wait(job.id, timeout=PATIENCE_SECONDS)
    assert ended.finished_at is not None
    return (ended.finished_at - ended.created_at).total_seconds()


def _write(path: Path, number: int) -> None:
    """Write a minute of the sample, different from others by noise that nobody hears."""
    dice = random.Random(number)
    with wave.open(str(sample_recording()), "rb") as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        wanted = RECORDING_SECONDS * source.getframerate()
        while wanted:
            source.rewind()
            frames = bytearray(source.readframes(min(wanted, source.getnframes())))
            frames[0] = dice.randrange(256)
            target.writeframes(bytes(frames))
            wanted -= len(frames) // (source.getsampwidth() * source.getnchannels())
