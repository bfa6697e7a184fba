"""A worker without disk, or without memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from engine_workers.oom import CGROUPS
from schemas.jobs import JobState
from schemas.runs import FailureKind
from tests.benchmarks.figures import at_least, at_most
from tests.chaos import invariants
from tests.chaos.lab import Lab, UnfitMachineError, case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 120
#: The address space that a worker may use, in bytes.
MEMORY_BYTES = 2 << 30
#: The memory that a control group with a worker may use, in bytes: it needs a third of that.
GROUP_BYTES = 512 << 20
#: What the fake engine tells of its easing.
BATCH, CPU = "batch_size 8 → 1", "device pretended → cpu"


@case("disk-full", "The disk of the worker's temporary files is full")
def disk_full(lab: Lab) -> list[Figure]:
    """Give one worker a temporary folder on which not a byte is free."""
    if os.geteuid() != 0:
        message = "only root may mount a small file system"
        raise UnfitMachineError(message)
    cluster = lab.shared()
    folder = cluster.folder / "small"
    folder.mkdir(exist_ok=True)
    mount, umount = (shutil.which(tool) or tool for tool in ("mount", "umount"))
    subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], check=True)
    try:
        return _on_full_disk(cluster, folder)
    finally:
        subprocess.run([umount, "--lazy", str(folder)], check=True)


def _on_full_disk(cluster: Cluster, folder: Path) -> list[Figure]:
    _fill(folder / "full")
    cluster.end("fake-a")
    cluster.engine("fake", "full", TMPDIR=str(folder))
    cluster.worker("fake-full").ready()
    jobs = cluster.submit(10)
    cluster.wait(jobs, PATIENCE_SECONDS)
    cluster.end("fake-full")
    return _typed(cluster, jobs)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


@case("memory", "The memory of the engine's child is limited")
def memory(lab: Lab) -> list[Figure]:
    """Let an engine ask for more memory than it may have: once, or until it needs less."""
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        message = "prlimit is not installed (Debian: apt install util-linux)"
        raise UnfitMachineError(message)
    cluster = lab.shared()
    cluster.end("fake-a")
    cluster.engine("fake", "small", prefix=(prlimit, f"--as={MEMORY_BYTES}"))
    cluster.worker("fake-small").ready()
    jobs = cluster.submit(10, ["fake"], paused=True)
    cluster.points.arm("mid_infer", "bloat", jobs[0])
    cluster.resume(jobs)
    jobs += _hungry(cluster, "cpu")
    (hopeless,) = _hungry(cluster, None)
    cluster.wait([*jobs, hopeless], PATIENCE_SECONDS)
    cluster.end("fake-small")
    failure = cluster.view(hopeless).failure
    typed = failure is not None and failure.kind is FailureKind.OUT_OF_MEMORY
    return [
        *_typed(cluster, jobs),
        at_least("told as out_of_memory", _out_of_memory(cluster, jobs[0]), 1),
        at_least("smaller batch after the first time", int(_eased(cluster, jobs[0]) == [BATCH]), 1),
        at_least("then the CPU", int(_eased(cluster, jobs[-1]) == [BATCH, f"{BATCH}, {CPU}"]), 1),
        at_least("failed as out_of_memory when nothing helped", int(typed), 1),
    ]


def _hungry(cluster: Cluster, enough: str | None) -> list[UUID]:
    """Submit a job that runs out of memory until `enough` is eased; None: until the end."""
    return cluster.submit(1, ["fake"], fail="out_of_memory", device="pretended", enough=enough)


@case("memory-kill", "The system kills the engine's child for its memory", quick=False)
def memory_kill(lab: Lab) -> list[Figure]:
    """Put a worker into a control group whose memory is small; let an engine outgrow it, once."""
    cluster = lab.shared()
    with _small_group() as members:
        cluster.end("fake-a")
        enter = ("sh", "-c", f'echo $$ > {members} && exec "$@"', "sh")
        cluster.engine("fake", "group", prefix=enter)
        cluster.worker("fake-group").ready()
        jobs = cluster.submit(10, ["fake"], paused=True)
        cluster.points.arm("mid_infer", "bloat", jobs[0])
        cluster.resume(jobs)
        cluster.wait(jobs, PATIENCE_SECONDS)
        cluster.end("fake-group")
    return [
        *_typed(cluster, jobs),
        at_least("told as out_of_memory", _out_of_memory(cluster, jobs[0]), 1),
        at_least("smaller batch in the next attempt", int(_eased(cluster, jobs[0]) == [BATCH]), 1),
    ]


@contextmanager
def _small_group() -> Iterator[Path]:
    """Make a control group with little memory; yield the file that takes its members.

    Raises:
        UnfitMachineError: this user or machine cannot.
    """
    name = f"chaos-{os.getpid()}"
    for parent, limit in ((CGROUPS / "memory", "memory.limit_in_bytes"), (CGROUPS, "memory.max")):
        group = parent / name
        try:
            group.mkdir()
            (group / limit).write_text(str(GROUP_BYTES))
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        try:
            yield group / "cgroup.procs"
        finally:
            group.rmdir()
        return
    message = "no control group of memory can be made here (needs root)"
    raise UnfitMachineError(message)


def _out_of_memory(cluster: Cluster, job: UUID) -> int:
    """Return how many attempts at the job ran out of memory, and were followed by another."""
    retried = [event.data for event in cluster.events(job) if event.kind == "run_retried"]
    return sum(data.get("kind") == "out_of_memory" for data in retried)


def _eased(cluster: Cluster, job: UUID) -> list[str]:
    """Return what was eased in each further attempt, as the job's story tells it."""
    return [str(event.data["what"]) for event in cluster.events(job) if event.kind == "run_eased"]


def _typed(cluster: Cluster, jobs: list) -> list[Figure]:
    views = [cluster.view(job) for job in jobs]
    done = sum(view.state is JobState.COMPLETED for view in views)
    untyped = [run for view in views for run in view.failed_runs if run.failure is None]
    invariants.check(cluster, jobs)
    return [at_least("completed", done, len(jobs)), at_most("untyped failures", len(untyped), 0)]
