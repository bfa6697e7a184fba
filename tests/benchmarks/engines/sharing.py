"""How much sooner two workers with a real engine hear a long recording than one does."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.benchmarks.engines.recordings import write_speech
from tests.benchmarks.engines.through import (
    MODULES,
    NEEDS,
    Recording,
    open_library,
    start_pool,
    take,
)
from tests.benchmarks.figures import Figure, at_least, informs
from tests.chaos.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.chaos.cluster import Cluster

#: Its work fits the processor's caches. moonshine's does not: where two processors share their way
#: to the memory, two processes of it hear no more than one.
ENGINE = "faster_whisper"
#: Seconds of the recording, and of those by which the workers load their models.
SECONDS, FIRST_SECONDS = 3600.0, 10.0
FIRST_JOBS = 6
LEAST_GAIN = 1.8
#: Seconds of the recording on which the machine shows what two processes gain at all.
BARE_SECONDS = 120.0
#: Runs a command on one processor: PROCESSOR COMMAND….
PINNED = (
    "import os,sys; os.sched_setaffinity(0,{int(sys.argv[1])}); os.execv(sys.argv[2],sys.argv[2:])"
)


def measure(folder: Path) -> list[Figure]:
    """Have one worker hear it, then two; each has a processor of its own.

    Two processes with the library alone tell what the machine's two processors can give.
    """
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2 or not all(find_spec(module) for module in NEEDS[ENGINE]):
        return []
    with Lab(quick=False) as lab, lab.cluster(**MODULES) as cluster:
        cluster.coordinator()
        cluster.aggregation()
        first = Recording.of(cluster, folder, FIRST_SECONDS)
        began = time.monotonic()
        recording = Recording.of(cluster, folder, SECONDS)
        preparing = time.monotonic() - began
        seconds = []
        for number, processor in enumerate(processors[:2]):
            start_pool(cluster, ENGINE, str(number), _pinned(processor))
            cluster.ready()
            seconds.append(_heard(cluster, first, recording))
    minutes = f"{SECONDS / 60:.0f} minutes"
    return [
        informs(f"preparing {minutes}", preparing, "s"),
        informs(f"{ENGINE} on {minutes}, one worker", seconds[0], "s"),
        informs(f"{ENGINE} on {minutes}, two workers", seconds[1], "s"),
        informs("two processes of the library over one", _bare_gain(folder, processors), "×"),
        at_least("two workers over one", seconds[0] / seconds[1], LEAST_GAIN, "×"),
    ]


def _pinned(processor: int) -> tuple[str, ...]:
    return (sys.executable, "-c", PINNED, str(processor))


def _bare_gain(folder: Path, processors: Sequence[int]) -> float:
    """Return how much more two processes with the library alone hear than one."""
    path = folder / "bare.wav"
    write_speech(path, BARE_SECONDS)
    with (
        open_library(ENGINE, _pinned(processors[0])) as first,
        open_library(ENGINE, _pinned(processors[1])) as second,
        ThreadPoolExecutor(2) as both,
    ):
        for library in (first, second):
            library.hear(path)  # loads the model
        alone = sum(library.hear(path)[0] for library in (first, second)) / 2
        together = max(took for took, _ in both.map(lambda one: one.hear(path), (first, second)))
    return 2 * alone / together


def _heard(cluster: Cluster, first: Recording, recording: Recording) -> float:
    """Have all workers load the model; return how long the recording then takes, in seconds."""
    take(cluster, ENGINE, [first.audio] * FIRST_JOBS)
    (view,) = take(cluster, ENGINE, [recording.audio])
    assert view.finished_at is not None
    return (view.finished_at - view.created_at).total_seconds()
