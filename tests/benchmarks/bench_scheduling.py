"""The order of admission, simulated: waits, shares, deadlines, utilisation, what it costs."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.bulk import accept_many
from coordinator.submit import job_request
from schemas.scheduling import Priority
from schemas.settings import SchedulingSettings
from tests.benchmarks.figures import Figure, at_least, at_most, informs
from tests.benchmarks.scheduling.bounds import edf_misses, lpt_makespan, misses
from tests.benchmarks.scheduling.load import WEIGHTS, Kind, Task, make
from tests.benchmarks.scheduling.plots import cumulative, draw
from tests.benchmarks.scheduling.simulate import Outcome, Plan, Simulation
from tests.benchmarks.scheduling.virtual import explain_line
from tests.chaos.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.database import Database
    from tests.chaos.cluster import Cluster

#: Where the plots go.
DOCS = Path(__file__).resolve().parents[2] / "docs"
RULES = SchedulingSettings()
#: Milliseconds that one admission may take; how much more at a hundred times the queue.
ADMISSION_MS, FLAT = 10.0, 1.5
#: How far a share may be from its weight; the least utilisation; the most above LPT's makespan.
SHARE, UTILISATION, MAKESPAN = 0.10, 0.97, 1.1
#: Jobs that one client submits in a second.
BULK = 1000
#: Milliseconds until an idle engine begins; seconds that anything may take.
LATENCY_MS, PATIENCE_SECONDS = 150.0, 60
#: Jobs of a drained load by workers, one and more for each engine.
DRAINED = {1: 60, 10: 400, 100: 2000, 1000: 10_000}
QUICK = {10: 100, 100: 1000}


def main(quick: bool) -> list[Figure]:  # noqa: FBT001  # every benchmark is called so
    """Simulate; `quick` takes smaller loads and draws nothing."""
    with Lab(quick=True) as lab, lab.cluster() as cluster:
        found = [_latency(cluster, 10 if quick else 100)]
        found.append(_bulk(cluster, 1000 if quick else 10_000))
        found += _cost(cluster.database, quick=quick)
        found += _shares(cluster.database, quick=quick)
        found.append(_makespan(cluster.database, 200 if quick else 2000))
        for workers, jobs in (QUICK if quick else DRAINED).items():
            found += _drained(cluster.database, workers, jobs, plot=not quick)
        return found


def simulate(database: Database, kind: Kind, plan: Plan) -> Outcome:
    """Run one load through one plan."""
    print(f"{kind.jobs:,} jobs, {plan.workers:,} workers …", file=sys.stderr)
    return Simulation(database, RULES, make(kind), plan).run()


def _latency(cluster: Cluster, jobs: int) -> Figure:
    """Submit jobs one after the other to real workers that have nothing else to do."""
    cluster.start_roles(["fake"])
    audio = cluster.recording()
    cluster.prepare(audio)
    waits = []
    for job in (cluster.submit(1, ["fake"], audio=audio)[0] for _ in range(jobs + 1)):
        cluster.wait([job], PATIENCE_SECONDS)
        view = cluster.view(job)
        assert view.runs[0].started_at is not None
        waits.append(1000 * (view.runs[0].started_at - view.created_at).total_seconds())
    for name in tuple(cluster.roles):
        cluster.end(name)
    label = f"from submission to the engine's start on an idle system, p50 of {jobs}"
    return at_most(label, statistics.median(waits[1:]), LATENCY_MS, "ms")


def _bulk(cluster: Cluster, jobs: int) -> Figure:
    """Submit many jobs of two engines at once, in batches of a thousand."""
    audio = cluster.recording()
    began = time.monotonic()
    for _ in range(jobs // 1000):
        with cluster.database.transaction() as session:
            accept_many(session, job_request(("fake", "second")), 1000 * [audio])
    rate = jobs / (time.monotonic() - began)
    return at_least("jobs submitted in bulk by one client", rate, BULK, "/s")


def _cost(database: Database, *, quick: bool) -> list[Figure]:
    """Time admissions with little and with much that waits."""
    ms: dict[int, list[float]] = {}
    counts = (1000, 10_000) if quick else (1000, 100_000)
    for count in counts:
        # One look for each end: admissions of one or two runs.
        plan = Plan(30, reaction=0.0, looks=100 if quick else 1000)
        outcome = simulate(database, Kind(count), plan)
        ms[count] = sorted(1000 * took for took in outcome.admissions[1:])
    if not quick:
        (DOCS / "scheduling-plan.txt").write_text(explain_line(database, RULES, "slow") + "\n")
    few, many = (_quantile(ms[count], 0.5) for count in counts)
    return [
        *(
            informs(f"admission at {count:,} jobs, p50", _quantile(ms[count], 0.5), "ms")
            for count in counts
        ),
        at_most(
            f"admission at {counts[1]:,} jobs, p99",
            _quantile(ms[counts[1]], 0.99),
            ADMISSION_MS,
            "ms",
        ),
        at_most(f"median at {counts[1]:,} over that at {counts[0]:,} jobs", many / few, FLAT, "×"),
    ]


def _shares(database: Database, *, quick: bool) -> list[Figure]:
    """Let five owners have more than enough to do, of one priority."""
    outcome = simulate(
        database,
        Kind(1000 if quick else 4000, mix=(0, 0, 1)),
        Plan(40, reaction=0.5, looks=700 if quick else 2500),
    )
    worst = 0.0
    for engine in outcome.slots:
        had = dict.fromkeys(WEIGHTS, 0.0)
        runs = [t for t in outcome.tasks if t.engine == engine and t.started is not None]
        for task in sorted(runs, key=lambda task: task.started or 0.0)[:1000]:
            had[task.owner] += task.length
        whole, weights = sum(had.values()), sum(WEIGHTS.values())
        print(engine, len(runs), {o: round(s / whole, 3) for o, s in had.items()}, file=sys.stderr)
        errors = [abs(had[o] / whole / (w / weights) - 1) for o, w in WEIGHTS.items()]
        worst = max(worst, *errors)
    return [at_most("worst error of an owner's share, weights 1 to 5", worst, SHARE, "×")]


def _makespan(database: Database, jobs: int) -> Figure:
    """Work off jobs of one owner's priority, for LPT's bound knows of none."""
    outcome = simulate(database, Kind(jobs, mix=(0, 0, 1)), Plan(100))
    last = max(task.ended or 0.0 for task in outcome.tasks)
    bound = lpt_makespan(outcome.tasks, outcome.slots)
    label = f"makespan over LPT's, 100 workers, {jobs:,} jobs, one priority"
    return at_most(label, last / bound, MAKESPAN, "×")


def _drained(database: Database, workers: int, jobs: int, *, plot: bool) -> list[Figure]:
    """Work off a load to its end, with failures and deadlines."""
    kind = Kind(jobs, deadline_every=10, deadline_seconds=1.5 * jobs / workers * 300)
    plan = Plan(workers, reaction=1.0 if workers > 100 else 0.25, fail_every=100)
    outcome = simulate(database, kind, plan)
    assert all(task.ended is not None for task in outcome.tasks)
    label = f"{workers:,} workers, {jobs:,} jobs"
    busy = sum(outcome.busy.values()) / sum(outcome.possible.values())
    bound = lpt_makespan(outcome.tasks, outcome.slots)
    last = max(task.ended or 0.0 for task in outcome.tasks)
    figures = [
        at_least(f"utilisation, {label}", busy, UTILISATION),
        at_most(f"makespan over LPT's, {label}", last / bound, MAKESPAN, "×"),
        informs(f"deadlines missed, {label}", misses(outcome.tasks)),
        informs("… by clairvoyant EDF without rivals", edf_misses(outcome.tasks, outcome.slots)),
        informs("… of", len({t.job_id for t in outcome.tasks if t.deadline is not None})),
    ]
    waits = {p: _waits(outcome.tasks, p) for p in Priority}
    for priority, values in waits.items():
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            figures.append(
                informs(f"wait of {priority} {name}, {label}", _quantile(values, share), "s")
            )
    if plot:
        lines = {p.value: cumulative(values) for p, values in waits.items()}
        title = f"Started within so long, {label}"
        draw(DOCS / f"scheduling-{workers}.svg", title, ("seconds", "% of the runs"), lines)
    return figures


def _waits(tasks: Sequence[Task], priority: Priority) -> list[float]:
    return sorted(
        (task.started or 0.0) - task.submitted for task in tasks if task.priority == priority.rank
    )


def _quantile(values: list[float], share: float) -> float:
    if not values:
        return float("nan")
    return (
        statistics.quantiles(values, n=1000)[round(share * 1000) - 1]
        if len(values) > 1
        else values[0]
    )
