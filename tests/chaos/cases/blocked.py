"""Engines whose native code comes back never."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.jobs import JobState
from schemas.runs import FailureKind
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 200
#: Seconds within which the next job is served, beyond the limit or the lease.
MORE_SECONDS = 15


@case("native-block", "Native code blocks for ever, with and without Python's lock")
def native_block(lab: Lab) -> list[Figure]:
    """Let an engine stay in a native call amid a run, then give its worker another job."""
    cluster = lab.shared()
    cluster.end("fake-a")
    limit, grace = lab.size(2, 20), lab.size(1, 10)
    cluster.engine(
        "fake",
        "limited",
        CHORDSCRIBE_LIMITS=f'{{"base_seconds": {limit}, "per_audio_second": 0}}',
        CHORDSCRIBE_WORKER=f'{{"kill_grace_seconds": {grace}}}',
    )
    cluster.worker("fake-limited").ready()
    free, free_took = _blocked(cluster, "hang")
    held, held_took = _blocked(cluster, "hang_with_lock")
    (probe,) = cluster.submit(1, ["fake"])
    cluster.wait([probe], PATIENCE_SECONDS)
    cluster.end("fake-limited")
    failure = cluster.view(free).failure
    timely = failure is not None and failure.kind is FailureKind.TIMEOUT
    lost = [
        event.data for event in cluster.events(held) if event.kind in {"run_retried", "run_rescued"}
    ]
    done = cluster.view(held).state is JobState.COMPLETED
    invariants.check(cluster, [free, held, probe])
    lease = cluster.leases.lease_seconds
    return [
        at_least("without the lock: failed as timeout", int(timely), 1),
        at_most("ended after", free_took, limit + grace + MORE_SECONDS, "s"),
        at_least("with the lock: completed by another attempt", int(done), 1),
        at_most("attempts at it", cluster.view(held).runs[0].attempt, 2),
        at_most("ended after the lock was taken", held_took, lease + MORE_SECONDS, "s"),
        informs(
            "told as lost by its worker", sum(data.get("kind") == "worker_lost" for data in lost)
        ),
    ]


def _blocked(cluster: Cluster, action: str) -> tuple[UUID, float]:
    """Block the engine amid a job; return the job and how long it then took, in seconds."""
    (job,) = cluster.submit(1, ["fake"], paused=True)
    cluster.points.arm("mid_infer", action, job)
    cluster.resume([job])
    reached = cluster.points.heard(60)
    cluster.wait([job], PATIENCE_SECONDS)
    ended = cluster.view(job).finished_at
    assert ended is not None
    return job, ended.timestamp() - reached.at
