"""Aggregation workers that are killed around the commit that ends a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.figures import at_least, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, case

if TYPE_CHECKING:
    from tests.benchmarks.figures import Figure

#: Seconds that a test waits.
PATIENCE_SECONDS = 300


@case("kill-aggregation", "SIGKILL of aggregation before and after its commit, 20 times each")
def kill_aggregation(lab: Lab) -> list[Figure]:
    """Kill the child, or the whole worker, at each of two points for one job each."""
    cluster = lab.shared()
    each = lab.size(2, 20)
    jobs = cluster.submit(2 * each, paused=True)
    for number, job in enumerate(jobs):
        point = "before_commit" if number < each else "after_commit"
        cluster.points.arm(point, "kill_worker" if number % 2 else "kill_child", job)
    cluster.resume(jobs)
    took = cluster.wait(jobs, PATIENCE_SECONDS)
    killed = [cluster.points.heard(10).job for _ in jobs]
    assert set(killed) == {str(job) for job in jobs}
    invariants.check(cluster, jobs)
    reports = sum(cluster.report(job) is not None for job in jobs)
    return [
        at_least(f"exactly one report of {len(jobs)}", reports, len(jobs)),
        informs("until the last had ended", took, "s"),
    ]
