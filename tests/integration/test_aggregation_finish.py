"""A job whose runs have ended gets one report and one end, however often it is asked for."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, update

from aggregation.cli.sources import from_job
from aggregation.errors import NoSuchJobError
from aggregation.evaluate import evaluate_report
from aggregation.finish import Ending, finish
from aggregation.pipeline import make_report
from aggregation.poison import Again, note_failure, once_more
from aggregation.store import RESENT_EVENT
from schemas.database import record_event
from schemas.report import Report
from schemas.tables import EngineRun, Job, StoredEvent, StoredReport
from schemas.transcript import Segment, Transcript

if TYPE_CHECKING:
    from schemas.database import Database

ENGINES = ("one", "two", "three")
TEXTS = ("It was the best of times.", "it was the best of time", "it was a best of times")


@pytest.fixture
def job_id(database: Database) -> UUID:
    """Return a running job whose three engines have all given a transcript."""
    job = uuid4()
    with database.transaction() as session:
        session.execute(
            insert(Job).values(
                id=job,
                state="running",
                request={"engines": list(ENGINES), "language": None, "options": {}},
                fingerprint="f" * 64,
                audio={"sha256": "a" * 64, "size": 1, "name": "talk.wav"},
            )
        )
        for position, (engine, text) in enumerate(zip(ENGINES, TEXTS, strict=True)):
            session.execute(
                insert(EngineRun).values(
                    id=uuid4(),
                    job_id=job,
                    engine=engine,
                    position=position,
                    state="succeeded",
                    processing_seconds=1.5,
                    transcript=packed(engine, text),
                )
            )
    return job


def packed(engine: str, text: str) -> bytes:
    transcript = Transcript(
        engine=engine,
        engine_version="1",
        model="tiny",
        language="en",
        audio_seconds=3.0,
        segments=(Segment(text=text, start=0.0, end=3.0),),
    )
    return zlib.compress(transcript.model_dump_json().encode())


def change(database: Database, job: UUID, engine: str, **values: object) -> None:
    with database.transaction() as session:
        session.execute(
            update(EngineRun)
            .where(EngineRun.job_id == job, EngineRun.engine == engine)
            .values(**values)
        )


def stored(database: Database, job: UUID) -> tuple[Job, Report | None, list[str]]:
    with database.transaction() as session:
        row = session.scalars(select(Job).where(Job.id == job)).one()
        body = session.scalar(select(StoredReport.body).where(StoredReport.job_id == job))
        kinds = session.scalars(select(StoredEvent.kind).where(StoredEvent.job_id == job)).all()
    return row, Report.model_validate(body) if body else None, list(kinds)


def test_all_engines_answers_become_one_report(database: Database, job_id: UUID) -> None:
    assert finish(database, job_id) is Ending.COMPLETED
    job, report, events = stored(database, job_id)
    assert (job.state, job.degraded, job.failure) == ("completed", False, None)
    assert job.finished_at is not None
    assert report is not None
    assert report.merged.text.lower() == "it was the best of times."
    assert [engine.rtf for engine in report.engines] == [0.5, 0.5, 0.5]
    assert events == ["job_completed"]


def test_the_merge_is_by_the_strategy_that_is_configured(database: Database, job_id: UUID) -> None:
    assert finish(database, job_id, strategy="rover") is Ending.COMPLETED
    _, report, _ = stored(database, job_id)
    assert report is not None
    assert report.merged.strategy == "rover"


def test_asked_by_many_at_once_it_ends_once(database: Database, job_id: UUID) -> None:
    with ThreadPoolExecutor(8) as pool:
        endings = list(pool.map(lambda _: finish(database, job_id), range(16)))
    assert endings.count(Ending.COMPLETED) == 1
    assert endings.count(Ending.ALREADY_DONE) == 15
    assert stored(database, job_id)[2] == ["job_completed"]
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(StoredReport)) == 1


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_has_not_ended_leaves_all_as_it_is(
    database: Database, job_id: UUID, state: str
) -> None:
    change(database, job_id, "two", state=state)
    assert finish(database, job_id) is Ending.NOT_READY
    job, report, events = stored(database, job_id)
    assert (job.state, job.finished_at, report, events) == ("running", None, None, [])


def test_a_failed_engine_does_not_cost_the_others_work(database: Database, job_id: UUID) -> None:
    failure = {"kind": "out_of_memory", "message": "the model needs 4 GB"}
    change(database, job_id, "two", state="failed", failure=failure)
    assert finish(database, job_id) is Ending.COMPLETED
    job, report, _ = stored(database, job_id)
    assert job.degraded
    assert report is not None
    assert [(m.engine, m.failure.message) for m in report.missing] == [
        ("two", "the model needs 4 GB")
    ]
    assert {engine.engine for engine in report.engines} == {"one", "three"}


def test_without_any_transcript_each_reason_is_named(database: Database, job_id: UUID) -> None:
    for engine in ENGINES:
        failure = {"kind": "model_missing", "message": f"no model for {engine}"}
        change(database, job_id, engine, state="failed", failure=failure)
    assert finish(database, job_id) is Ending.FAILED
    job, report, events = stored(database, job_id)
    assert job.failure is not None
    assert job.failure["kind"] == "model_missing"
    assert all(f"no model for {engine}" in job.failure["message"] for engine in ENGINES)
    assert (report, events) == (None, ["job_failed"])


def test_a_cancelled_job_gets_no_report(database: Database, job_id: UUID) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(cancel_requested_at=func.now()))
    change(database, job_id, "three", state="cancelled", transcript=None)
    assert finish(database, job_id) is Ending.CANCELLED
    job, report, events = stored(database, job_id)
    assert (job.state, report, events) == ("cancelled", None, ["job_cancelled"])


def test_a_damaged_transcript_counts_as_a_missing_engine(database: Database, job_id: UUID) -> None:
    change(database, job_id, "one", transcript=b"no zlib")
    assert finish(database, job_id) is Ending.COMPLETED
    job, report, _ = stored(database, job_id)
    assert job.degraded
    assert report is not None
    assert "the transcript of one, chunk 0, cannot be read" in report.missing[0].failure.message


def test_a_nul_in_an_engines_words_does_not_stop_the_report(
    database: Database, job_id: UUID
) -> None:
    change(database, job_id, "one", transcript=packed("one", "It was\x00 the best of times."))
    assert finish(database, job_id) is Ending.COMPLETED
    assert stored(database, job_id)[1] is not None


def test_an_unknown_job_is_no_error(database: Database) -> None:
    assert finish(database, uuid4()) is Ending.UNKNOWN_JOB


def test_a_comparison_that_keeps_failing_fails_the_job_and_keeps_the_transcripts(
    database: Database, job_id: UUID
) -> None:
    error = ValueError("weights of 16 features for 18\x00")
    assert [note_failure(database, job_id, error) for _ in range(3)] == [False, False, True]
    job, report, kinds = stored(database, job_id)
    assert (job.state, report) == ("failed", None)
    assert job.failure is not None
    assert job.failure["kind"] == "aggregation_error"
    assert "weights of 16 features" in job.failure["message"]
    assert kinds.count("aggregation_failed") == 3
    with database.transaction() as session:
        kept = select(func.count()).where(EngineRun.transcript.is_not(None))
        assert session.scalar(kept) == len(ENGINES)


def resend(database: Database, job: UUID) -> None:
    """Do as the sweep does when nobody compared the job's runs."""
    with database.transaction() as session:
        record_event(session, job, RESENT_EVENT)


def dies(_: object) -> NoReturn:
    """End the attempt without a trace, as a process's death does."""
    raise GeneratorExit


@pytest.mark.parametrize("sent_by_the_sweep", [True, False])
def test_a_comparison_that_ends_its_process_each_time_fails_the_job_after_three(
    database: Database, job_id: UUID, monkeypatch: pytest.MonkeyPatch, *, sent_by_the_sweep: bool
) -> None:
    monkeypatch.setattr("aggregation.finish.make_report", dies)
    for attempt in range(3):
        with pytest.raises(GeneratorExit):
            finish(database, job_id, again=attempt > 0 and not sent_by_the_sweep)
        if sent_by_the_sweep:
            resend(database, job_id)
    assert finish(database, job_id, again=not sent_by_the_sweep) is Ending.FAILED
    job, report, kinds = stored(database, job_id)
    assert (job.state, report) == ("failed", None)
    assert job.failure is not None
    assert job.failure["kind"] == "aggregation_error"
    assert "in each of 3 attempts" in job.failure["message"]
    assert kinds.count("aggregation_started") == 2
    assert finish(database, job_id, again=True) is Ending.ALREADY_DONE


def test_a_job_that_had_to_be_compared_again_is_completed(database: Database, job_id: UUID) -> None:
    resend(database, job_id)
    assert finish(database, job_id) is Ending.COMPLETED
    assert stored(database, job_id)[2] == [RESENT_EVENT, "aggregation_started", "job_completed"]


def test_a_second_comparison_that_is_under_way_keeps_others_away(
    database: Database, job_id: UUID
) -> None:
    resend(database, job_id)
    with once_more(database, job_id) as allowed:
        assert allowed is Again.YES
        assert finish(database, job_id) is Ending.BUSY
    assert finish(database, job_id) is Ending.COMPLETED


def test_a_finished_job_is_merged_anew_by_another_strategy(
    database: Database, job_id: UUID
) -> None:
    finish(database, job_id)
    again = make_report(from_job(database, str(job_id)[:13], "union"))
    assert again.merged.strategy == "union"
    assert stored(database, job_id)[1].merged.strategy == "learned"  # type: ignore[union-attr]
    with pytest.raises(NoSuchJobError, match="no job begins with 'zz'"):
        from_job(database, "zz")


def test_an_evaluation_counts_every_engines_errors_and_the_merges(
    database: Database, job_id: UUID
) -> None:
    finish(database, job_id)
    report = stored(database, job_id)[1]
    assert report is not None
    errors = evaluate_report(report, "It was the best of times!")
    assert errors == {"one": (0, 6), "two": (1, 6), "three": (1, 6), "(merged)": (0, 6)}
