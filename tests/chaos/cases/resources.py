"""A worker without disk, or without memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from schemas.jobs import JobState
from tests.benchmarks.figures import at_least, at_most
from tests.chaos import invariants
from tests.chaos.lab import Lab, UnfitMachineError, case

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 120
#: The address space that a worker may use, in bytes.
MEMORY_BYTES = 2 << 30


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
    """Let an engine ask for more memory than its worker may have, once."""
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
    cluster.wait(jobs, PATIENCE_SECONDS)
    kinds = [
        str(event.data.get("kind"))
        for event in cluster.events(jobs[0])
        if event.kind == "run_retried"
    ]
    cluster.end("fake-small")
    return [
        *_typed(cluster, jobs),
        at_least("told as out_of_memory", kinds.count("out_of_memory"), 1),
    ]


def _typed(cluster: Cluster, jobs: list) -> list[Figure]:
    views = [cluster.view(job) for job in jobs]
    done = sum(view.state is JobState.COMPLETED for view in views)
    untyped = [run for view in views for run in view.failed_runs if run.failure is None]
    invariants.check(cluster, jobs)
    return [at_least("completed", done, len(jobs)), at_most("untyped failures", len(untyped), 0)]
