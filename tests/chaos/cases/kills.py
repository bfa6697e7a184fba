"""Engines' workers that are killed at every point of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.figures import at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case
from tests.chaos.points import RUN_POINTS

if TYPE_CHECKING:
    from uuid import UUID

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds within which a run has to be rescued, and for which a test waits.
RESCUE_SECONDS, PATIENCE_SECONDS = 60, 150
#: Seconds from a start to the first armed point.
REACH_SECONDS = 60.0


@case("kill-child", "SIGKILL of the engine's child at each of 7 points")
def kill_child(lab: Lab) -> list[Figure]:
    """Kill the pool's child that works on the run."""
    return _kill_at_each_point(lab.shared(), "kill_child")


@case("kill-worker", "SIGKILL of the whole engine worker at each of 7 points")
def kill_worker(lab: Lab) -> list[Figure]:
    """Kill the worker with its child."""
    return _kill_at_each_point(lab.shared(), "kill_worker")


def _kill_at_each_point(cluster: Cluster, action: str) -> list[Figure]:
    warm = cluster.submit(len(cluster.roles))
    cluster.wait(warm, PATIENCE_SECONDS)
    # A process may open one connection more than it has needed so far.
    connections = invariants.count_connections(cluster) + len(cluster.roles)
    audio = cluster.recording(seconds=1.0)
    jobs = cluster.submit(len(RUN_POINTS), audio=audio, paused=True, seconds_per_segment=0.25)
    for point, job in zip(RUN_POINTS, jobs, strict=True):
        cluster.points.arm(point, action, job)
    cluster.resume(jobs)
    cluster.wait(jobs, PATIENCE_SECONDS)
    assert not cluster.points.disarm(), "a point was not reached"
    killed = {}
    for _ in jobs:
        reached = cluster.points.heard(REACH_SECONDS)
        killed[reached.job] = reached
    rescues = {
        killed[str(job)].point: _ended_at(cluster, job) - killed[str(job)].at for job in jobs
    }
    attempts = [run.attempt for job in jobs for run in cluster.view(job).runs]
    invariants.check(cluster, jobs, connections)
    slowest = max(rescues, key=lambda point: rescues[point])
    return [
        at_most(f"slowest rescue ({slowest})", rescues[slowest], RESCUE_SECONDS, "s"),
        at_most("attempts at a run", max(attempts), 2),
        informs("jobs completed", sum(cluster.report(job) is not None for job in jobs)),
    ]


def _ended_at(cluster: Cluster, job: UUID) -> float:
    ended = cluster.view(job).finished_at
    assert ended is not None
    return ended.timestamp()


@case("pop-unacked", "SIGKILL of a worker between the broker's pop and its unacked record")
def pop_unacked(lab: Lab) -> list[Figure]:
    """The message is in no queue and on no list any more."""
    cluster = lab.shared()
    cluster.points.arm("after_pop", "kill_worker")
    jobs = cluster.submit(1)
    killed = cluster.points.heard(REACH_SECONDS)
    cluster.wait(jobs, PATIENCE_SECONDS)
    rescued = _ended_at(cluster, jobs[0]) - killed.at
    invariants.check(cluster, jobs)
    return [at_most("rescue", rescued, RESCUE_SECONDS, "s")]
