"""Sorts a job's runs into answers and missing engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from aggregation import store
from aggregation.errors import CorruptTranscriptError
from aggregation.stitch import Part, hole
from aggregation.store import StoredRun
from schemas.report import MissingEngine
from schemas.runs import Failure, FailureKind, RunState

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Answers:
    """What the engines gave, and which gave nothing."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    #: Wall seconds by engine, where known.
    processing: dict[str, float] = field(default_factory=dict)
    missing: dict[str, MissingEngine] = field(default_factory=dict)
    #: By engine that gave something, why it did not hear the first of the chunks that it missed.
    holes: dict[str, Failure] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every engine heard everything."""
        return not self.missing and not self.holes

    @property
    def language(self) -> str | None:
        """The language that most engines say they heard; None when none says."""
        said = Counter(
            part.transcript.language
            for parts in self.parts.values()
            for part in parts
            if part.transcript.language
        )
        return max(sorted(said), key=lambda language: said[language], default=None)


def answers_of(runs: Sequence[StoredRun]) -> Answers:
    """Sort the runs; an engine is missing when all its chunks failed or cannot be read.

    Where it has heard others, a chunk that it did not hear is a hole in its transcript.
    """
    answers = Answers()
    failed: list[tuple[StoredRun, Failure]] = []
    for run in runs:
        try:
            if RunState(run.state) is RunState.SUCCEEDED:
                part = Part(store.unpack(run), run.chunk_start)
                answers.parts.setdefault(run.engine, []).append(part)
                seconds = answers.processing.get(run.engine, 0.0) + (run.processing_seconds or 0.0)
                answers.processing[run.engine] = seconds
                continue
            failure = _failure(run)
        except CorruptTranscriptError as error:
            log.warning("transcript_unreadable", engine=run.engine, reason=str(error))
            failure = Failure(kind=FailureKind.STORAGE, message=str(error))
        failed.append((run, failure))
    for run, failure in failed:
        _note(answers, run, failure)
    answers.processing = {e: s for e, s in answers.processing.items() if s}
    return answers


def _note(answers: Answers, run: StoredRun, failure: Failure) -> None:
    heard = answers.parts.get(run.engine)
    if heard is None:
        known = MissingEngine(engine=run.engine, failure=failure)
        answers.missing.setdefault(run.engine, known)
        return
    why = f"{failure.kind}: {failure.message}"
    heard.append(hole(heard[0].transcript, run.chunk_start, run.chunk_seconds or 0.0, why))
    answers.holes.setdefault(run.engine, failure)


def _failure(run: StoredRun) -> Failure:
    if run.failure is not None:
        return Failure.model_validate(run.failure)
    return Failure(kind=FailureKind.CANCELLED, message=f"the run was {run.state}")


def shared_failure(answers: Answers) -> Failure:
    """Return one failure for a job without a report, with the reason of each engine at fault."""
    failures = {name: engine.failure for name, engine in answers.missing.items()} | answers.holes
    kinds = {failure.kind for failure in failures.values()}
    kind = kinds.pop() if len(kinds) == 1 else FailureKind.ENGINE_ERROR
    reasons = "; ".join(f"{name}: {failure.message}" for name, failure in failures.items())
    what = "the job requires all engines" if answers.parts else "no engine gave a transcript"
    return Failure(kind=kind, message=f"{what}. {reasons}")
