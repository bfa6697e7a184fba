"""The chunks of a recording are heard apart and become one transcript, with a hole at worst."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from aggregation.finish import Ending, finish
from coordinator.dropping import drop_runs
from coordinator.ledger import read_job, read_report
from coordinator.submit import accept, job_request
from engine_workers.media.preparer import Preparer
from engine_workers.work import Worker
from schemas.jobs import JobState
from schemas.media import MediaMessage
from schemas.runs import FailureKind, RunMessage, RunState
from schemas.tables import EngineRun, Job
from tests.integration.engine_rows import row, stage, transcript
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.database import Database
    from schemas.settings import Settings

#: The recording's length, and that of a chunk.
SECONDS, CHUNK = 12.0, 4.0


@pytest.fixture
def cutting(settings: Settings) -> Settings:
    """Return settings by which the recording is cut into three chunks."""
    media = settings.media.model_copy(update={"chunk_seconds": CHUNK})
    return settings.model_copy(update={"media": media})


def begin(database: Database, cutting: Settings, *, require_all: bool = False) -> list[RunMessage]:
    """Accept a job whose recording is prepared, as if its runs were admitted."""
    audio = stage(wav(tone(SECONDS)), cutting.media_root)
    request = job_request(
        ["fake"], options={"fake": {"text": "amber birch"}}, require_all=require_all
    )
    with database.transaction() as session:
        accept(session, request, audio, media=cutting.media)
    Preparer(cutting, database).run(MediaMessage(sha256=audio.sha256), "worker:1")
    with database.transaction() as session:
        job = accept(session, request, audio, media=cutting.media).job_id
        session.execute(update(Job).where(Job.id == job).values(state="running"))
        ids = session.scalars(
            select(EngineRun.id).where(EngineRun.job_id == job).order_by(EngineRun.chunk)
        ).all()
    return [RunMessage(run_id=run, job_id=job) for run in ids]


def test_each_worker_hears_its_part_alone(database: Database, cutting: Settings) -> None:
    messages = begin(database, cutting)
    worker = Worker(cutting, database)
    for message in messages:
        assert worker.run(message, "me").state is RunState.SUCCEEDED
        assert transcript(database, message.run_id).audio_seconds == pytest.approx(CHUNK)
        assert row(database, message.run_id).audio_seconds == pytest.approx(CHUNK)
    job = messages[0].job_id
    assert finish(database, job) is Ending.COMPLETED
    with database.transaction() as session:
        report, view = read_report(session, job), read_job(session, job)
    assert report is not None
    assert report.audio_seconds == pytest.approx(SECONDS)
    words = [word for segment in report.merged.segments for word in segment.words]
    assert len(words) == 24, "two a second"
    assert [word.start for word in words] == [pytest.approx(n / 2) for n in range(24)]
    assert not view.degraded


def with_a_hole(database: Database, cutting: Settings, *, require_all: bool) -> UUID:
    """Let the middle chunk fail for good, the others succeed; return the job."""
    messages = begin(database, cutting, require_all=require_all)
    worker = Worker(cutting, database)
    for message in (messages[0], messages[2]):
        worker.run(message, "me")
    with database.transaction() as session:
        drop_runs(session, [messages[1].run_id], FailureKind.WORKER_LOST, "its worker died")
    return messages[0].job_id


def test_a_chunk_that_failed_leaves_a_hole_that_is_told(
    database: Database, cutting: Settings
) -> None:
    job = with_a_hole(database, cutting, require_all=False)
    assert finish(database, job) is Ending.COMPLETED
    with database.transaction() as session:
        report, view = read_report(session, job), read_job(session, job)
    assert report is not None
    assert view.degraded
    assert report.missing == ()
    assert report.audio_seconds == pytest.approx(SECONDS)
    assert "not heard from 4.0 to 8.0 s: worker_lost: its worker died" in report.repairs["fake"]
    starts = [word.start for segment in report.merged.segments for word in segment.words]
    assert len(starts) == 16
    assert not [start for start in starts if start is not None and 4.0 <= start < 8.0]


def test_a_job_that_requires_all_fails_with_the_reason(
    database: Database, cutting: Settings
) -> None:
    job = with_a_hole(database, cutting, require_all=True)
    assert finish(database, job) is Ending.FAILED
    with database.transaction() as session:
        view = read_job(session, job)
    assert view.state is JobState.FAILED
    assert view.failure is not None
    assert view.failure.kind is FailureKind.WORKER_LOST
    assert "its worker died" in view.failure.message


def test_an_engine_is_missing_when_it_heard_nothing(database: Database, cutting: Settings) -> None:
    messages = begin(database, cutting)
    with database.transaction() as session:
        runs = [message.run_id for message in messages]
        drop_runs(session, runs, FailureKind.TIMEOUT, "too slow")
    assert finish(database, messages[0].job_id) is Ending.FAILED


def test_parts_are_heard_in_the_language_that_was_detected_first(
    database: Database, cutting: Settings
) -> None:
    messages = begin(database, cutting)
    with database.transaction() as session:
        session.execute(update(Job).values(heard_language="fi"))
    Worker(cutting, database).run(messages[1], "me")
    assert transcript(database, messages[1].run_id).language == "fi"
