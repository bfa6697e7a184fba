"""Running quantiles come to those of what is measured, and follow when that changes."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.quantiles import Quantiles, distance, first


def learnt(values: list[float], start: Quantiles | None = None) -> Quantiles:
    """Return what is known after these samples."""
    found = start or first(values[0], values[0])
    for value in values if start else values[1:]:
        found.learn(value)
    return found


def samples(median: float, spread: float, count: int, seed: int) -> list[float]:
    """Return lognormal samples."""
    chance = random.Random(seed)
    return [median * math.exp(chance.gauss(0.0, spread)) for _ in range(count)]


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-4, 1e4), st.floats(0.05, 0.6), st.integers(0, 2**32), st.floats(0.02, 50.0))
def test_they_come_close_to_the_quantiles_of_any_spread_however_wrong_the_first_sample(
    median: float, spread: float, seed: int, wrong: float
) -> None:
    values = [median * wrong, *samples(median, spread, 400, seed)]
    found = learnt(values)
    noise = 0.2 + spread  # a fixed step never comes to rest: it goes on to follow
    assert abs(math.log(found.median / median)) < noise
    assert abs(math.log(found.high / (median * math.exp(1.2816 * spread)))) < 1.5 * noise
    assert found.median <= found.high
    assert found.samples == len(values)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 10.0), st.integers(0, 2**32))
def test_averaged_over_time_half_the_samples_are_below_the_median_and_nine_of_ten_below_the_high(
    median: float, seed: int
) -> None:
    found = learnt(samples(median, 0.4, 200, seed))
    below = above = 0
    later = samples(median, 0.4, 1500, seed + 1)
    for value in later:
        below += value < found.median
        above += value > found.high
        found.learn(value)
    assert below / len(later) == pytest.approx(0.5, abs=0.05)
    assert above / len(later) == pytest.approx(0.1, abs=0.03)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0), st.integers(0, 2**32))
def test_a_thousand_samples_later_a_change_is_followed_within_a_hundred(
    change: float, median: float, seed: int
) -> None:
    found = learnt(samples(median, 0.1, 1000, seed))
    found = learnt(samples(median * change, 0.1, 100, seed + 1), found)
    assert abs(math.log(found.median / (median * change))) < 0.25


@settings(max_examples=15, deadline=None)
@given(st.floats(0.05, 0.6), st.integers(0, 2**32))
def test_the_error_comes_to_the_median_distance_of_what_is_measured(
    spread: float, seed: int
) -> None:
    found = learnt(samples(1.0, spread, 400, seed))
    # Half of a normal distribution lies within 0.6745 of its deviation.
    assert 0.4 < found.error / (0.6745 * spread) < 2.5


def test_what_is_expected_by_others_is_what_the_error_is_of() -> None:
    found = first(2.0, expected=1.0)
    assert found.error == pytest.approx(math.log(2.0))
    for _ in range(200):
        found.learn(2.0, expected=1.0)
    assert found.error == pytest.approx(math.log(2.0), rel=0.1)
    for _ in range(200):
        found.learn(2.0)
    assert found.error < 0.01


def test_the_same_sample_again_and_again_moves_nothing() -> None:
    found = learnt([0.25] * 50)
    assert (found.median, found.high) == (0.25, 0.25)


@pytest.mark.parametrize("value", [5e-324, 1e308])
def test_the_most_extreme_of_samples_leave_finite_numbers(value: float) -> None:
    found = learnt([0.1] * 5)
    for _ in range(1000):
        found.learn(value)
    assert all(map(math.isfinite, (found.median, found.high, found.error)))
    assert found.median > 0
    assert distance(value, 1.0) <= 10.0
