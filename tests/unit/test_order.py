"""The rule of admission: who goes first, and how long anybody can be kept waiting."""

from __future__ import annotations

import itertools
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from coordinator.order import Line, Spare, Use, Waiting, window

NUMBERS = itertools.count(1)
CRITICAL, HIGH, NORMAL, LOW = range(4)


def run(priority: int = NORMAL, owner: str = "a", at: float = 0.0, **more: object) -> Waiting:
    """Return a run submitted at a time; its latest start is a target later."""
    number = UUID(int=next(NUMBERS))
    about = {"latest_start": at + 100.0, "submitted_at": at, "cost": 1.0, **more}
    return Waiting(number, number, owner, priority, **about)  # type: ignore[arg-type]


def line(*runs: Waiting, **more: object) -> Line:
    """Return a line of these runs."""
    return Line(runs, [one for one in runs if one.overdue], **more)  # type: ignore[arg-type]


#: Any mixture of runs.
RUNS = st.lists(
    st.builds(
        run,
        st.integers(CRITICAL, LOW),
        st.sampled_from("abc"),
        st.floats(0, 1000),
        cost=st.floats(0.1, 1000),
        overdue=st.booleans(),
    ),
    max_size=40,
)


def test_a_critical_run_goes_before_a_thousand_low_ones() -> None:
    lows = [run(LOW, at=number) for number in range(1000)]
    urgent = run(CRITICAL, at=2000)
    assert line(*lows, urgent).give(1) == [urgent]


def test_a_critical_run_waits_for_one_place_at_most_behind_any_number_of_overdue_ones() -> None:
    overdue = [run(LOW, at=number, overdue=True) for number in range(1000)]
    urgent = run(CRITICAL, at=2000)
    for since in range(4):
        assert urgent in line(*overdue, urgent, since_overdue=since).give(2)


def test_within_a_priority_the_earliest_latest_start_goes_first() -> None:
    late, soon = run(at=0.0), run(at=50.0, latest_start=60.0)
    assert line(late, soon).give(2) == [soon, late]


@given(RUNS, st.integers(0, 10), st.integers(1, 6))
def test_a_run_past_its_target_is_never_passed_by_more_than_its_share(
    runs: list[Waiting], since: int, every: int
) -> None:
    """The m-th overdue run has the (m × every)-th place at the latest, whatever else waits."""
    given_ = line(*runs, since_overdue=since, overdue_every=every).give(len(runs))
    waiting = sorted((r for r in runs if r.overdue), key=lambda r: (r.submitted_at, r.id))
    for number, one in enumerate(waiting, 1):
        assert given_.index(one) < number * every
    if waiting and since >= every - 1:
        assert given_[0] == waiting[0]


@given(RUNS, st.integers(0, 50))
def test_no_place_stays_free_while_anybody_may_have_it(runs: list[Waiting], places: int) -> None:
    given_ = line(*runs).give(places)
    assert len(given_) == len({one.id for one in given_}) == min(places, len(runs))


@given(RUNS, st.integers(0, 50), st.dictionaries(st.sampled_from("abc"), st.integers(0, 5)))
def test_no_owner_has_more_than_its_cap(
    runs: list[Waiting], places: int, caps: dict[str, int]
) -> None:
    owners = {owner: Use(room=cap) for owner, cap in caps.items()}
    given_ = line(*runs, owners=owners).give(places)
    had = {owner: sum(one.owner == owner for one in given_) for owner in "abc"}
    assert all(had[owner] <= cap for owner, cap in caps.items())
    allowed = sum(
        min(caps.get(owner, len(runs)), sum(one.owner == owner for one in runs)) for owner in "abc"
    )
    assert len(given_) == min(places, allowed)


@given(
    st.lists(st.floats(1, 10), min_size=2, max_size=5),
    st.lists(st.floats(0.5, 2), min_size=1, max_size=20),
)
def test_engine_seconds_are_shared_by_weight_while_all_have_work(
    weights: list[float], costs: list[float]
) -> None:
    owners = {str(number): Use(weight=weight) for number, weight in enumerate(weights)}
    turns = itertools.cycle(costs)
    runs = [run(owner=owner, cost=next(turns)) for owner in owners for _ in range(200)]
    had = dict.fromkeys(owners, 0.0)
    for one in line(*runs, owners=owners).give(200):
        had[one.owner] += one.cost
    for left, right in itertools.combinations(owners, 2):
        # Start-time fair queueing: nobody is ahead by more than one run of each.
        apart = abs(had[left] / owners[left].weight - had[right] / owners[right].weight)
        longest = max(costs) / owners[left].weight + max(costs) / owners[right].weight
        assert apart <= longest + 1e-6


def test_who_comes_late_is_neither_starved_nor_owed_the_past() -> None:
    first = [run(owner="a", cost=10.0, at=number) for number in range(500)]
    queue = line(*first)
    queue.give(100)
    left = [one for one in first if one not in first[:100]]
    second = [run(owner="b", cost=10.0, at=1000 + number) for number in range(500)]
    both = line(*left, *second, owners=queue.owners, virtual_time=queue.virtual_time)
    had = [one.owner for one in both.give(100)]
    assert 49 <= had.count("b") <= 51


def test_a_window_has_a_place_for_each_slot_and_a_few_more() -> None:
    spare = Spare(0.25, 1.0, 64, 30.0)
    assert window(0, 10.0, spare) == 0
    assert window(1, 20.0, spare) == 2
    assert window(8, 20.0, spare) == 10
    assert window(1000, 20.0, spare) == 1064
    assert window(1, 0.02, spare) == 51


def test_where_runs_are_long_nothing_is_given_out_before_a_worker_is_free_for_it() -> None:
    assert window(4, 30.1, Spare(0.25, 1.0, 64, 30.0)) == 4
