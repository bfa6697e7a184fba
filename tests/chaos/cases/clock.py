"""Workers whose clock is wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.jobs import JobState
from tests.benchmarks.figures import at_least, at_most
from tests.chaos import invariants
from tests.chaos.lab import Lab, UnfitMachineError, case

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure

#: Seconds that a test waits, and by which the clock is wrong.
PATIENCE_SECONDS, SHIFT_SECONDS = 200, 2 * 3600
SOURCE = Path(__file__).parents[1] / "clock_shift.c"


@case("clock", "The clock of a worker is 2 h slow, or fast")
def clock(lab: Lab) -> list[Figure]:
    """Let runs that outlast a lease be done by a worker that lives in another hour."""
    cluster = lab.shared()
    library = _library(cluster.folder)
    cluster.end("fake-a")
    pieces = int(1.5 * cluster.leases.lease_seconds) + 1
    audio = cluster.recording(seconds=float(pieces), number=2)
    jobs = []
    for node, shift in (("slow", -SHIFT_SECONDS), ("fast", SHIFT_SECONDS)):
        cluster.engine("fake", node, LD_PRELOAD=str(library), CHAOS_CLOCK_SHIFT=str(shift))
        cluster.worker(f"fake-{node}").ready()
        jobs += cluster.submit(1, ["fake"], audio=audio, seconds_per_segment=1.0, delay_seconds=1.0)
        cluster.wait(jobs, PATIENCE_SECONDS)
        cluster.end(f"fake-{node}")
    kinds = [event.kind for job in jobs for event in cluster.events(job)]
    done = sum(cluster.view(job).state is JobState.COMPLETED for job in jobs)
    invariants.check(cluster, jobs)
    return [
        at_least("completed", done, len(jobs)),
        at_most("saves beyond one a run", kinds.count("run_succeeded") - len(jobs), 0),
        at_most("leases that expired early", kinds.count("run_rescued"), 0),
    ]


def _library(folder: Path) -> Path:
    """Compile what shifts a process's clock; see the source for why it is not libfaketime.

    Raises:
        UnfitMachineError: there is no C compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        message = "there is no C compiler (Debian: apt install gcc)"
        raise UnfitMachineError(message)
    made = folder / "clock_shift.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE], check=True)
    return made
