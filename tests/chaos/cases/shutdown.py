"""Workers that are asked to end, amid a run or one after the other."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from schemas.jobs import JobState
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.engines import ENGINES
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure

#: Seconds that a test waits, and within which a worker ends.
PATIENCE_SECONDS, EXIT_SECONDS = 300, 15


@case("sigterm", "SIGTERM in a 30 s run with 10 s grace")
def sigterm(lab: Lab) -> list[Figure]:
    """Ask a worker to end amid a run; another does the run over."""
    cluster = lab.shared()
    pieces = lab.size(6, 30)
    audio = cluster.recording(seconds=float(pieces), number=1)
    jobs = cluster.submit(
        1, ["fake"], audio=audio, paused=True, seconds_per_segment=1.0, delay_seconds=1.0
    )
    cluster.points.arm("mid_infer", "pass", jobs[0])
    cluster.resume(jobs)
    cluster.points.heard(60)
    worker = cluster.roles.pop("fake-a")
    began = time.monotonic()
    worker.send(signal.SIGTERM)
    cluster.engine("fake", "b")
    worker.wait(PATIENCE_SECONDS)
    ended = time.monotonic() - began
    took = cluster.wait(jobs, PATIENCE_SECONDS)
    view = cluster.view(jobs[0])
    kinds = [event.kind for event in cluster.events(jobs[0])]
    invariants.check(cluster, jobs)
    return [
        at_most("worker has ended after", ended, EXIT_SECONDS, "s"),
        at_least("runs handed back", kinds.count("run_handed_back"), 1),
        at_least("completed", int(view.state is JobState.COMPLETED), 1),
        informs("done by another after", took, "s"),
    ]


@case("rolling-restart", "Rolling restart of all workers under load")
def rolling_restart(lab: Lab) -> list[Figure]:
    """Replace each engine's two workers one after the other while jobs run."""
    cluster = lab.shared()
    for engine in ENGINES:
        cluster.engine(engine, "b")
    cluster.ready()
    jobs = cluster.submit(lab.size(40, 300), delay_seconds=0.1)
    names = ("fake-a", "second-a", "aggregation", "coordinator", "fake-b", "second-b")
    for name in names[: lab.size(3, len(names))]:
        cluster.roles[name].restart(timeout=EXIT_SECONDS)
        cluster.worker(name).ready()
    cluster.wait(jobs, PATIENCE_SECONDS)
    failed = [job for job in jobs if cluster.view(job).state is not JobState.COMPLETED]
    degraded = sum(cluster.view(job).degraded for job in jobs)
    invariants.check(cluster, jobs)
    return [
        informs("jobs", len(jobs)),
        at_most("failed", len(failed), 0),
        at_most("without an engine", degraded, 0),
    ]
