"""Decides how a job ends, exactly once in effect however often it is asked."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from aggregation import records, store
from aggregation.answers import answers_of, shared_failure
from aggregation.merge.registry import DEFAULT_STRATEGY
from aggregation.pipeline import Question, make_report
from aggregation.poison import Again, once_more
from schemas.database import Database
from schemas.jobs import JobState
from schemas.report import Report
from schemas.runs import Failure, RunState


class Ending(StrEnum):
    """What `finish` did."""

    UNKNOWN_JOB = "unknown_job"
    NOT_READY = "not_ready"
    ALREADY_DONE = "already_done"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    #: Another process is at it.
    BUSY = "busy"


def finish(
    database: Database, job_id: UUID, *, again: bool = False, strategy: str = DEFAULT_STRATEGY
) -> Ending:
    """End the job if all its runs have ended.

    At first the report is computed without a lock; two callers may both compute it, one stores it.
    Where an earlier attempt came to nothing one alone computes it, and the attempts are counted:
    some transcripts may end every process that compares them.

    Args:
        database: the ledger.
        job_id: the job.
        again: this message was tried before, and that did not end the job.
        strategy: the merge strategy's name.

    Raises:
        LedgerError: the database does not answer; nothing was changed.
    """
    with database.statements() as connection:
        # The transcripts too: whoever asks for this knows, as a rule, that the runs have ended.
        found = store.load_job(connection, job_id)
    if found is None:
        return Ending.UNKNOWN_JOB
    if JobState(found.state).terminal:
        return Ending.ALREADY_DONE
    if not found.runs or not all(RunState(run.state).terminal for run in found.runs):
        return Ending.NOT_READY
    answers = answers_of(found.runs)
    language: str | None = found.request.get("language")
    prior = records.known_priors(database, language or answers.language)
    if found.cancelled:
        return _end(database, job_id, JobState.CANCELLED)
    unwanted = not answers.whole and found.request.get("require_all")
    if not answers.parts or unwanted:
        return _end(database, job_id, JobState.FAILED, failure=shared_failure(answers))
    question = Question(
        job_id=job_id,
        parts=answers.parts,
        missing=tuple(answers.missing.values()),
        language=language,
        prior=prior,
        strategy=strategy,
        processing=answers.processing,
        degraded=not answers.whole,
    )
    return (_once_more if again or found.resent else _complete)(database, question)


def _once_more(database: Database, question: Question) -> Ending:
    with once_more(database, question.job_id) as allowed:
        if allowed is Again.YES:
            return _complete(database, question)
        return Ending.BUSY if allowed is Again.BUSY else Ending.FAILED


def _complete(database: Database, question: Question) -> Ending:
    report = make_report(question)
    degraded = question.degraded
    return _end(database, question.job_id, JobState.COMPLETED, report=report, degraded=degraded)


def _end(
    database: Database,
    job_id: UUID,
    state: JobState,
    *,
    report: Report | None = None,
    failure: Failure | None = None,
    degraded: bool = False,
) -> Ending:
    figures: dict[str, object] = {}
    if failure is not None:
        figures = {"failure": failure.kind.value, "message": failure.message}
    if report is not None:
        figures = {
            "engines": [engine.engine for engine in report.engines],
            "missing": [engine.engine for engine in report.missing],
            "similarity": round(report.comparison.similarity, 4),
            "recommended": report.recommendation.engine,
            "words": sum(len(segment.words) for segment in report.merged.segments),
            **records.experience_of(report.language, report.quality),
        }
    with database.statements() as connection:
        ended = store.end_job(
            connection,
            job_id,
            state,
            report=report,
            failure=failure,
            degraded=degraded,
            figures=figures,
        )
    return Ending(state.value) if ended else Ending.ALREADY_DONE
