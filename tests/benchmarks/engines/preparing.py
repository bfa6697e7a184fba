"""What it takes to prepare long recordings, harmless ones and bombs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coordinator.staging import stage
from tests.benchmarks.engines.recordings import long_mp3, silent_flac, silent_opus
from tests.benchmarks.figures import Figure, at_most, informs

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600.0
#: MiB that preparing may take at its peak: a long recording, a bomb.
MOST_MEMORY, MOST_BOMB_MEMORY = 300, 500
#: Prepares one recording in a process of its own, and prints what came of it: seconds of wall
#: time, of the processor, MiB at the peak of the process that decoded, seconds of sound.
PREPARE = """
import json, resource, sys, time
from pathlib import Path
from engine_workers.errors import BadMediaError
from engine_workers.media.sandbox import prepare
from schemas.audio import AudioRef
from schemas.settings import load_settings
worker = {"max_audio_seconds": float(sys.argv[3])}
settings = load_settings(_env_file=None, media_dir=Path(sys.argv[1]), worker=worker)
began = time.monotonic()
try:
    seconds = prepare(AudioRef.model_validate_json(sys.argv[2]), settings).info.seconds
except BadMediaError:
    seconds = 0.0
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.monotonic() - began, used.ru_utime + used.ru_stime,
                  used.ru_maxrss / 1024, seconds]))
"""


class Cost(NamedTuple):
    """What preparing a recording took; no seconds of sound: it was refused."""

    wall: float
    processor: float
    mib: float
    seconds: float


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Prepare each of them in turn."""
    hours = 0.2 if quick else 3.0
    podcast = _prepared(folder, long_mp3, hours * HOUR)
    assert abs(podcast.seconds - hours * HOUR) < 0.01 * hours * HOUR
    what = f"a {hours:g} h MP3"
    figures = [
        informs(f"preparing {what}", podcast.wall, "s"),
        informs(f"preparing {what}, seconds of sound a second", podcast.seconds / podcast.wall),
        at_most(f"preparing {what}, peak memory", podcast.mib, MOST_MEMORY, "MiB"),
    ]
    bombs = (("FLAC", silent_flac), ("Opus", silent_opus))
    for name, make in bombs[:1] if quick else bombs:
        hours = 13.0 if quick else 24.0
        refused = _prepared(folder, make, hours * HOUR)
        assert not refused.seconds
        what = f"{hours:g} h of silence as {name}"
        figures += [
            informs(f"{what}: refused after", refused.wall, "s"),
            at_most(f"{what}, refused: peak memory", refused.mib, MOST_BOMB_MEMORY, "MiB"),
        ]
        if not quick:
            taken = _prepared(folder, make, hours * HOUR, longest=48 * HOUR)
            assert taken.seconds
            figures += [
                informs(f"{what}, where it is allowed", taken.wall, "s"),
                at_most(f"{what}, allowed: peak memory", taken.mib, MOST_BOMB_MEMORY, "MiB"),
            ]
    return figures


def _prepared(
    folder: Path, make: Callable[[Path, float], None], seconds: float, longest: float = 12 * HOUR
) -> Cost:
    path = folder / f"{make.__name__}-{seconds:.0f}"
    if not path.exists():
        make(path, seconds)
    media = folder / f"media-{longest:.0f}"
    audio = stage(path, media)
    command = [sys.executable, "-c", PREPARE, str(media), audio.model_dump_json(), str(longest)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Cost(*json.loads(done.stdout))
