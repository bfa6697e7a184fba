"""What the pipeline costs beside the engine itself: start-up, overhead, memory."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from coordinator.client import Client
from coordinator.sample import sample_recording
from schemas.settings import Settings
from tests.benchmarks.figures import Figure, at_most, informs

ROOT = Path(__file__).parents[2]
ENGINE = "faster_whisper"
ENGINES = (ENGINE, "moonshine")
#: Seconds of the recording that the overhead is measured on.
RECORDING_SECONDS = 60
#: Wall time of the pipeline over that of the engine alone.
MOST_OVERHEAD = 1.15
#: Seconds from the command to the first engine at work, with the model yet to be loaded.
MOST_START_SECONDS = 3.0


def main(*, quick: bool) -> list[Figure]:
    """Measure; the quick way leaves the installation out and repeats less."""
    rounds = 3 if quick else 7
    with _folder() as folder:
        figures = [] if quick else _from_nothing(folder)
        figures += _start(folder, rounds=1 if quick else 3)
        figures += _overhead(folder, rounds)
    return figures


def _from_nothing(folder: Path) -> list[Figure]:
    """Time `./run transcribe` in a copy of the tracked files, without an environment."""
    clone = folder / "clone"
    git = shutil.which("git") or "git"
    subprocess.run([git, "clone", "-q", str(ROOT), str(clone)], check=True)
    env = {**_env(folder / "first"), "CHORDSCRIBE_VENV": str(clone / ".venv")}
    seconds = [_timed([str(clone / "run"), "transcribe"], env) for _ in range(2)]
    return [
        informs("from nothing to the merged transcript (warm package cache)", seconds[0], "s"),
        informs("the same a second time, stack down, answers kept", seconds[1], "s"),
    ]


def _start(folder: Path, rounds: int) -> list[Figure]:
    """Time the way from the command to the engines, with the stack down and with it up."""
    data = folder / "start"
    command = [sys.executable, "-m", "coordinator.cli.main", "transcribe", "--no-cache"]
    command += ["-e", ",".join(ENGINES)]
    _timed(command, _env(data))
    down = [_first_engine(command, data) for _ in range(rounds)]
    with Client(_settings(data)) as client:
        client.stack.need(engines=ENGINES, work=True)
        _timed(command, _env(data))
        up = [_timed(command, _env(data)) for _ in range(rounds)]
        figures = [informs(f"peak memory of {name}", mib, "MiB") for name, mib in _memory(data)]
    return [
        at_most(
            "command to first engine at work, stack down",
            statistics.median(down),
            MOST_START_SECONDS,
            "s",
        ),
        informs("sample to merged transcript, stack up", statistics.median(up), "s"),
        *figures,
    ]


def _first_engine(command: list[str], data: Path) -> float:
    """Return the seconds until the first run of a new job was claimed."""
    began = time.time()
    _timed(command, _env(data))
    with Client(_settings(data), work=False) as client:
        (job,) = client.list(limit=1)
    return min(run.started_at.timestamp() for run in job.runs if run.started_at) - began


def _overhead(folder: Path, rounds: int) -> list[Figure]:
    """Alternate the engine alone and the pipeline on the same recording, both warm."""
    recording = folder / "minute.wav"
    _write_recording(recording)
    direct, piped = [], []
    with _direct() as hear, Client(_settings(folder / "overhead")) as client:
        for round_number in range(rounds + 1):
            alone = hear(recording)
            job = client.submit(recording, engines=[ENGINE], language="en", use_cache=False)
            ended = client.wait(job.id, timeout=300)
            assert ended.finished_at is not None
            whole = (ended.finished_at - ended.created_at).total_seconds()
            if round_number:  # the first loads the model
                direct.append(alone)
                piped.append(whole)
    ratios = [whole / alone for whole, alone in zip(piped, direct, strict=True)]
    return [
        informs("engine alone on 60 s", statistics.median(direct), "s"),
        informs("pipeline on 60 s", statistics.median(piped), "s"),
        at_most("pipeline / engine alone", statistics.median(ratios), MOST_OVERHEAD, "×"),
    ]


@contextmanager
def _direct() -> Iterator[Callable[[Path], float]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.direct", ENGINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def hear(path: Path) -> float:
        stdin.write(f"{path}\n")
        stdin.flush()
        return float(stdout.readline().split()[0])

    try:
        yield hear
    finally:
        process.stdin.close()
        process.wait(30)


def _memory(data: Path) -> list[tuple[str, float]]:
    """Return the peak resident memory of each of the stack's processes, in MiB (Linux alone)."""
    found = []
    for process in psutil.process_iter(["pid"]):
        try:
            line, env = process.cmdline(), process.environ()
        except psutil.Error:
            continue
        if str(data) not in env.get("CHORDSCRIBE_DATA_DIR", "") and str(data) not in " ".join(line):
            continue
        peak = Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()
        if peak:
            found.append((_role(line, process), int(peak[0]) / 1024))
    return sorted(found)


def _role(line: list[str], process: psutil.Process) -> str:
    text = " ".join(line)
    for mark in ("supervisor", "valkey", "coordinator.service"):
        if mark in text:
            return mark.removesuffix(".service")
    if "coordinator.celery_worker" in line:
        parent = process.parent()
        child = parent is not None and parent.cmdline() == line
        queue = line[line.index("coordinator.celery_worker") + 3]
        return f"{queue} {'child' if child else 'worker'}"
    return "postgres" if "postgres" in text else "client"


def _timed(command: list[str], env: dict[str, str]) -> float:
    began = time.monotonic()
    done = subprocess.run(
        command, env=env, cwd=ROOT, check=False, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        message = f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}"
        raise RuntimeError(message)
    return time.monotonic() - began


def _write_recording(path: Path) -> None:
    with wave.open(str(sample_recording()), "rb") as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        wanted = RECORDING_SECONDS * source.getframerate()
        while wanted:
            source.rewind()
            frames = source.readframes(min(wanted, source.getnframes()))
            target.writeframes(frames)
            wanted -= len(frames) // (source.getsampwidth() * source.getnchannels())


def _settings(data: Path) -> Settings:
    return Settings(_env_file=None, data_dir=data)


def _env(data: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if "CHORDSCRIBE" not in name}
    return {**env, "CHORDSCRIBE_DATA_DIR": str(data)}


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that root's servers, which run as another user, can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="csb-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
