"""A job's events tell each worker's attempt at each of its runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from coordinator.story import attempts
from schemas.jobs import JobEvent

RUN, OTHER = str(UUID(int=1)), str(UUID(int=2))
BEGAN = datetime(2026, 11, 24, tzinfo=UTC)


def events(*told: tuple[str, dict[str, object]]) -> list[JobEvent]:
    """Return events a second apart."""
    return [
        JobEvent(
            id=n, job_id=UUID(int=9), at=BEGAN + timedelta(seconds=n), kind=kind, data=dict(data)
        )
        for n, (kind, data) in enumerate(told)
    ]


def test_an_attempt_that_was_rescued_is_followed_by_another() -> None:
    found = attempts(
        events(
            ("job_submitted", {}),
            ("run_started", {"run": RUN, "engine": "fake", "attempt": 1, "worker": "a"}),
            ("run_rescued", {"run": RUN, "attempt": 1, "why": "lease expired"}),
            ("run_started", {"run": RUN, "engine": "fake", "attempt": 2, "worker": "b"}),
            ("run_succeeded", {"run": RUN, "engine": "fake", "attempt": 2, "worker": "b"}),
        )
    )
    assert [(a.attempt, a.worker, a.outcome, a.why) for a in found] == [
        (1, "a", "rescued", "lease expired"),
        (2, "b", "succeeded", None),
    ]
    assert found[1].started_at == BEGAN + timedelta(seconds=3)
    assert found[1].ended_at == BEGAN + timedelta(seconds=4)


def test_a_run_that_nobody_tried_is_told_with_its_reason() -> None:
    (found,) = attempts(
        events(("run_failed", {"run": RUN, "engine": "slow", "kind": "timeout", "why": "gone"}))
    )
    assert (found.engine, found.started_at, found.outcome, found.why) == (
        "slow",
        None,
        "failed",
        "gone",
    )


def test_an_attempt_that_goes_on_has_no_outcome() -> None:
    told: dict[str, object] = {"run": OTHER, "engine": "fake", "attempt": 1, "worker": "a"}
    (found,) = attempts(events(("run_started", told)))
    assert (found.outcome, found.ended_at) == (None, None)


def test_an_answer_that_is_repeated_names_whose_it_was() -> None:
    told: dict[str, object] = {"run": RUN, "engine": "fake", "attempt": 1, "worker": "a"}
    (found,) = attempts(events(("run_started", told), ("run_succeeded", {**told, "reused": OTHER})))
    assert found.why == f"repeats run {OTHER}"
