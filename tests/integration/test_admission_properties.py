"""Whatever is submitted in whatever order, the real admission keeps its promises."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator.bulk import accept_many
from coordinator.steering import set_engine_quota, set_owner_quota
from coordinator.submit import job_request
from schemas.scheduling import Priority, Schedule
from tests.integration.admission_world import AUDIO, RULES, World

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.database import Database

ENGINES, OWNERS = ("fake", "moonshine"), ("a", "b", "c")
#: Every example begins with an empty ledger of the one database.
SLOWLY = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
#: More steps than any load here needs.
MOST_STEPS = 500


class Asked(NamedTuple):
    """A job to be submitted."""

    owner: str
    priority: Priority
    engines: tuple[str, ...]
    overdue: bool
    #: Which of its owner's earlier jobs it comes after, counted from the last; 0: none.
    after: int


JOBS = st.lists(
    st.builds(
        Asked,
        st.sampled_from(OWNERS),
        st.sampled_from(list(Priority)),
        st.sampled_from([ENGINES, ENGINES[:1], ENGINES[1:]]),
        st.booleans(),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=25,
)
CAPS = st.dictionaries(st.sampled_from(OWNERS), st.integers(1, 3))
SLOTS = st.fixed_dictionaries(dict.fromkeys(ENGINES, st.integers(1, 3)))


def submit_all(world: World, jobs: list[Asked]) -> dict[UUID, UUID]:
    """Submit the jobs; return which comes after which."""
    mine: dict[str, list[UUID]] = {owner: [] for owner in OWNERS}
    after: dict[UUID, UUID] = {}
    for asked in jobs:
        earlier = mine[asked.owner]
        first = earlier[-asked.after] if 0 < asked.after <= len(earlier) else None
        job = world.submit(
            asked.engines,
            owner=asked.owner,
            priority=asked.priority,
            after=(first,) if first else (),
            overdue_by=1.0 if asked.overdue else None,
        )
        earlier.append(job)
        if first:
            after[job] = first
    return after


@SLOWLY
@given(
    jobs=JOBS, slots=SLOTS, caps=CAPS, engine_cap=st.none() | st.integers(1, 3), seed=st.randoms()
)
def test_caps_and_order_are_kept_and_no_place_stays_free(
    database: Database,
    *,
    jobs: list[Asked],
    slots: dict[str, int],
    caps: dict[str, int],
    engine_cap: int | None,
    seed: random.Random,
) -> None:
    world = World(database, slots)
    with database.transaction() as session:
        for owner, cap in caps.items():
            set_owner_quota(session, owner, max_running=cap)
        if engine_cap is not None:
            set_engine_quota(session, "fake", engine_cap)
    after = submit_all(world, jobs)
    sizes = {engine: count + 1 for engine, count in slots.items()}
    if engine_cap is not None:
        sizes["fake"] = min(sizes["fake"], engine_cap)
    ended: set[UUID] = set()
    for _ in range(MOST_STEPS):
        world.admit()
        _check(
            world, sizes, caps, {job: first for job, first in after.items() if first not in ended}
        )
        working = world.working()
        if not working:
            break
        some = seed.sample(working, seed.randint(1, len(working)))
        world.end([run.id for run in some], state=seed.choice(["succeeded", "failed"]))
        open_jobs = {run.job_id for run in world.runs() if run.state == "queued"}
        ended = {run.job_id for run in world.runs()} - open_jobs
    assert {run.state for run in world.runs()} <= {"succeeded", "failed"}  # none was forgotten


def _check(
    world: World, sizes: dict[str, int], caps: dict[str, int], blocked: dict[UUID, UUID]
) -> None:
    """Fail where a cap is exceeded, a job came too early, or a place is free that one may have."""
    busy = world.busy()
    for engine, size in sizes.items():
        used = sum(busy[engine, owner] for owner in OWNERS)
        assert used <= size
        assert all(busy[engine, owner] <= cap for owner, cap in caps.items())
        may = [
            run
            for run in world.runs("waiting")
            if run.engine == engine and busy[engine, run.owner] < caps.get(run.owner, size)
        ]
        assert used == size or not may
    assert not {run.job_id for run in world.working()} & set(blocked)


@SLOWLY
@given(
    overdue=st.integers(1, 8),
    others=JOBS,
    arrivals=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    slots=st.integers(1, 3),
    seed=st.randoms(),
)
def test_nobody_past_the_target_starves_whatever_arrives_after(
    database: Database,
    *,
    overdue: int,
    others: list[Asked],
    arrivals: list[int],
    slots: int,
    seed: random.Random,
) -> None:
    """The run with m older ones past their target has the 4(m + 1)-th place at the latest."""
    world = World(database, {"fake": slots})
    old = [
        world.submit(["fake"], priority="low", owner=seed.choice(OWNERS), overdue_by=1000.0 - age)
        for age in range(overdue)
    ]
    for asked in others:
        world.submit(["fake"], owner=asked.owner, priority=asked.priority)
    jobs = {run.id: run.job_id for run in world.runs()}
    for step in range(MOST_STEPS):
        world.admit()
        jobs |= {run.id: run.job_id for run in world.runs("window")}
        order = [jobs[run] for run in world.given["fake"]]
        if set(old) <= set(order):
            break
        for _ in range(arrivals[step % len(arrivals)]):
            world.submit(["fake"], priority="critical", owner=seed.choice(OWNERS))
        world.end([seed.choice(world.working()).id])
    for older, job in enumerate(old):
        assert order.index(job) < RULES.overdue_every * (older + 1)


@SLOWLY
@given(
    weights=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    slots=st.integers(1, 4),
    seed=st.randoms(),
)
def test_owners_have_engine_seconds_by_weight_whatever_runs_really_take(
    database: Database, weights: tuple[int, int], slots: int, seed: random.Random
) -> None:
    """Nobody is ahead by more than what a window of the longest runs is charged."""
    world = World(database, {"fake": slots})
    shares = dict(zip(("a", "b"), weights, strict=True))
    with database.transaction() as session:
        for owner, weight in shares.items():
            set_owner_quota(session, owner, weight=weight)
    with database.transaction() as session:
        for owner in shares:
            many = Schedule(owner=owner)
            accept_many(session, job_request(["fake"]), 40 * [AUDIO], schedule=many, rules=RULES)
    had = dict.fromkeys(shares, 0.0)
    longest = 4.0
    for _ in range(40):
        world.admit()
        run = seed.choice(world.working())
        took = seed.uniform(1.0, longest)
        world.end([run.id], took=took)
        had[run.owner] += took
    apart = abs(had["a"] / shares["a"] - had["b"] / shares["b"])
    assert apart <= (slots + 2) * longest * sum(1 / weight for weight in weights)
