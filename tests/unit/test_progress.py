"""Progress adds up over an engine's chunks; what is left follows from what the others took."""

from __future__ import annotations

from uuid import uuid4

import pytest

from coordinator.progress import engines_progress
from coordinator.quantiles import Key, Quantiles
from coordinator.speeds import Speeds
from schemas.progress import EngineProgress
from schemas.runs import RunState
from schemas.tables import EngineRun


def run(state: str, engine: str = "a", **values: object) -> EngineRun:
    """Return a row as the ledger has it: a chunk of 100 s that is expected to take 20 s."""
    usual = {"progress_seconds": 0.0, "chunk_seconds": 100.0, "cost": 20.0}
    return EngineRun(id=uuid4(), engine=engine, state=state, **{**usual, **values})


def only(*runs: EngineRun) -> EngineProgress:
    """Return the one engine's progress."""
    (found,) = engines_progress(runs)
    return found


def test_chunks_of_each_engine_are_added_up() -> None:
    first, second = engines_progress(
        [
            run("succeeded", audio_seconds=100.0, processing_seconds=20.0),
            run("running", audio_seconds=100.0, progress_seconds=25.0),
            run("queued"),
            run("queued", "b", chunk_seconds=None),
        ]
    )
    assert (first.engine, first.state) == ("a", RunState.RUNNING)
    assert (first.chunks, first.ended_chunks, first.missing_chunks) == (3, 1, 0)
    assert (first.done_seconds, first.seconds) == (125.0, 300.0)
    assert first.eta_seconds == pytest.approx(15 + 20)
    assert (second.engine, second.state) == ("b", RunState.QUEUED)
    assert second.seconds is None
    assert second.eta_seconds is None


def test_what_is_left_follows_from_what_this_job_took_and_how_many_work_on_it() -> None:
    slow = run("succeeded", audio_seconds=100.0, processing_seconds=40.0)
    assert only(slow, run("running"), run("queued")).eta_seconds == pytest.approx(80.0)
    assert only(slow, run("running"), run("running")).eta_seconds == pytest.approx(40.0)
    assert only(slow, run("queued")).eta_seconds is None


def test_what_is_left_follows_from_the_speed_of_the_device_and_the_model_at_work() -> None:
    def known(rtf: float) -> Quantiles:
        return Quantiles(rtf, rtf)

    speeds = Speeds(
        {
            Key("rtf", "a"): known(0.4),
            Key("rtf", "a", "T4", "large"): known(0.05),
            Key("rtf", "a", "cpu", "large"): known(0.8),
        }
    )
    for device, rtf in (("T4", 0.05), ("cpu", 0.8), ("A100", 0.4)):
        half = run("running", progress_seconds=50.0, device=device, model="large")
        (found,) = engines_progress([half, run("queued")], speeds)
        assert found.eta_seconds == pytest.approx(100 * rtf / 2 + 20), "the cost of what waits"
    (unknown,) = engines_progress([run("running", "b", device="cpu", model="x")], speeds)
    assert unknown.eta_seconds == pytest.approx(20)
    (told,) = engines_progress([run("running", device=None)], speeds)
    assert told.eta_seconds == pytest.approx(20)


@pytest.mark.parametrize(
    ("states", "whole", "missing"),
    [
        (("succeeded", "succeeded"), "succeeded", 0),
        (("succeeded", "failed"), "succeeded", 1),
        (("failed", "failed"), "failed", 2),
        (("cancelled", "failed"), "cancelled", 2),
        (("succeeded", "queued"), "running", 0),
        (("queued", "queued"), "queued", 0),
    ],
)
def test_the_state_of_an_engine_is_that_of_its_chunks(
    states: tuple[str, ...], whole: str, missing: int
) -> None:
    found = only(*map(run, states))
    assert (found.state.value, found.missing_chunks) == (whole, missing)
