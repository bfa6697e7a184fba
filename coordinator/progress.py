"""Adds up how far each engine has come, estimates how long it will still take."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from coordinator.speeds import Speeds
from schemas.progress import EngineProgress
from schemas.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from schemas.tables import EngineRun


def engines_progress(
    runs: Iterable[EngineRun], speeds: Speeds | None = None
) -> tuple[EngineProgress, ...]:
    """Return each engine's progress.

    Args:
        runs: a job's, those of an engine one after another.
        speeds: what was measured of the engines; without it the runs' costs have to do.
    """
    known = speeds or Speeds()
    engines = groupby(runs, lambda run: run.engine)
    return tuple(_progress(engine, list(mine), known) for engine, mine in engines)


def _progress(engine: str, runs: Sequence[EngineRun], speeds: Speeds) -> EngineProgress:
    states = [RunState(run.state) for run in runs]
    lengths = [_length(run) for run in runs]
    known = [length for length in lengths if length is not None]
    missing = sum(state.terminal and state is not RunState.SUCCEEDED for state in states)
    return EngineProgress(
        engine=engine,
        state=_state(states),
        chunks=len(runs),
        ended_chunks=sum(state.terminal for state in states),
        missing_chunks=missing,
        done_seconds=sum(_done(run) for run in runs),
        seconds=sum(known) if len(known) == len(runs) else None,
        eta_seconds=_eta(runs, states, speeds),
    )


def _length(run: EngineRun) -> float | None:
    return run.audio_seconds if run.audio_seconds is not None else run.chunk_seconds


def _done(run: EngineRun) -> float:
    if run.state == RunState.SUCCEEDED.value:
        return _length(run) or 0.0
    return run.progress_seconds if run.state == RunState.RUNNING.value else 0.0


def _state(states: Sequence[RunState]) -> RunState:
    if all(state.terminal for state in states):
        if RunState.SUCCEEDED in states:
            return RunState.SUCCEEDED
        return RunState.CANCELLED if RunState.CANCELLED in states else RunState.FAILED
    return RunState.QUEUED if set(states) == {RunState.QUEUED} else RunState.RUNNING


def _expected(run: EngineRun, speeds: Speeds) -> float:
    """Return the seconds that a run takes: by the RTF of its device and model once it has those.

    Before that by its cost, which counts on whichever of the live pools it comes to.
    """
    length = _length(run)
    if run.device is None or length is None:
        return run.cost
    rtf = speeds.measured(run.engine, run.device, run.model)
    return run.cost if rtf is None else length * rtf


def _eta(runs: Sequence[EngineRun], states: Sequence[RunState], speeds: Speeds) -> float | None:
    """Return the seconds that are left at the engine's speed, with as many workers as it has now.

    Where parts of this job have ended, what is expected of the others is corrected by what those
    took.
    """
    running = states.count(RunState.RUNNING)
    if not running:
        return None
    left = sum(
        _expected(run, speeds) * (1 - min(1.0, _done(run) / (_length(run) or float("inf"))))
        for run, state in zip(runs, states, strict=True)
        if not state.terminal
    )
    ended = [run for run in runs if run.state == RunState.SUCCEEDED.value and run.cost > 0]
    took = sum(run.processing_seconds or 0.0 for run in ended)
    expected = sum(_expected(run, speeds) for run in ended)
    return left * (took / expected if took and expected else 1.0) / running
