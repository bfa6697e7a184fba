"""Decides how a job ends, exactly once in effect however often it is asked."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from aggregation import records, store
from aggregation.answers import answers_of, shared_failure
from aggregation.pipeline import Question, make_report
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


def finish(database: Database, job_id: UUID) -> Ending:
    """End the job if all its runs have ended.

    The report is computed without a lock; two callers may both compute it, one stores it.

    Raises:
        LedgerError: the database does not answer; nothing was changed.
    """
    with database.transaction() as session:
        job = store.load_job(session, job_id)
        if job is None:
            return Ending.UNKNOWN_JOB
        if JobState(job.state).terminal:
            return Ending.ALREADY_DONE
        # The transcripts too: whoever asks for this knows, as a rule, that the runs have ended.
        runs = sorted(job.runs, key=lambda run: (run.position, run.chunk))
        if not runs or not all(RunState(run.state).terminal for run in runs):
            return Ending.NOT_READY
        answers = answers_of(runs)
        language: str | None = job.request.get("language")
        prior = records.known_priors(database, session, language or answers.language)
    if job.cancel_requested_at is not None:
        return _end(database, job_id, JobState.CANCELLED)
    unwanted = answers.missing and job.request.get("require_all")
    if not answers.parts or unwanted:
        return _end(database, job_id, JobState.FAILED, failure=shared_failure(answers))
    report = make_report(
        Question(
            job_id=job_id,
            parts=answers.parts,
            missing=tuple(answers.missing.values()),
            language=language,
            prior=prior,
            processing=answers.processing,
        )
    )
    return _end(database, job_id, JobState.COMPLETED, report=report)


def _end(
    database: Database,
    job_id: UUID,
    state: JobState,
    *,
    report: Report | None = None,
    failure: Failure | None = None,
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
    with database.transaction() as session:
        ended = store.end_job(
            session, job_id, state, report=report, failure=failure, figures=figures
        )
    return Ending(state.value) if ended else Ending.ALREADY_DONE
