"""Merges the recordings of a set by every strategy, and counts the errors of what is printed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from aggregation.align.network import Network
from aggregation.merge.context import Strategy
from aggregation.merge.rebuild import rebuild
from aggregation.merge.registry import load_strategy
from aggregation.pipeline import Question, understand
from aggregation.stitch import Part
from aggregation.trust import Prior
from schemas.transcript import Transcript
from tests.benchmarks.consensus.data import Recording
from tests.benchmarks.consensus.oracle import oracle_errors
from tests.benchmarks.consensus.score import Errors, count, normal

_NO_JOB = UUID(int=0)


@dataclass(slots=True)
class Outcome:
    """Errors by recording, by engine or strategy, in one order."""

    errors: dict[str, list[Errors]] = field(default_factory=dict)
    oracle: list[Errors] = field(default_factory=list)
    #: CPU seconds of aligning, voting and rebuilding, by strategy.
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, errors: Errors) -> None:
        """Append one recording's errors."""
        self.errors.setdefault(name, []).append(errors)


def question(engines: Mapping[str, Transcript], prior: Mapping[str, Prior]) -> Question:
    """Return what the pipeline is asked."""
    parts = {name: [Part(transcript)] for name, transcript in engines.items()}
    return Question(job_id=_NO_JOB, parts=parts, prior=prior)


def complete(recordings: Sequence[Recording], engines: Sequence[str]) -> list[Recording]:
    """Return the recordings that all of these engines heard."""
    return [r for r in recordings if all(engine in r.engines for engine in engines)]


def single_errors(recordings: Sequence[Recording], engine: str) -> list[Errors]:
    """Count one engine's own errors, each recording's once."""
    for recording in recordings:
        if (recording.id, engine) not in _singles:
            said = normal(recording.engines[engine].text, recording.language)
            _singles[recording.id, engine] = count(reference(recording), said)
    return [_singles[recording.id, engine] for recording in recordings]


def reference(recording: Recording) -> list[str]:
    """Return the reference's normal words, computed once."""
    if recording.id not in _references:
        _references[recording.id] = normal(recording.reference, recording.language)
    return _references[recording.id]


_singles: dict[tuple[str, str], Errors] = {}
_references: dict[str, list[str]] = {}


def merge_all(
    recordings: Sequence[Recording],
    engines: Sequence[str],
    strategies: Sequence[str],
    prior: Mapping[str, Prior],
    *,
    oracle: bool = False,
    given: Mapping[str, Strategy] | None = None,
) -> Outcome:
    """Merge every recording by every installed strategy named, and by those `given`."""
    outcome = Outcome()
    called = {name: load_strategy(name) for name in strategies} | dict(given or {})
    for recording in recordings:
        heard = {name: recording.engines[name] for name in engines}
        began = time.process_time()
        understood = understand(question(heard, prior))
        shared = time.process_time() - began
        for name, strategy in called.items():
            began = time.process_time()
            choice = strategy(understood.context)
            merged = rebuild(understood.context, choice, name, 0.0).transcript
            spent = shared + time.process_time() - began
            outcome.seconds[name] = outcome.seconds.get(name, 0.0) + spent
            outcome.add(name, count(reference(recording), normal(merged.text, recording.language)))
        if oracle:
            network: Network = understood.context.network
            outcome.oracle.append(oracle_errors(network, reference(recording)))
    return outcome
