"""The channels of a call are runs of their own, on as many workers, and become one transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import select, update

from aggregation.cli.sources import from_job
from aggregation.finish import Ending, finish
from aggregation.pipeline import make_report
from coordinator.batches.again import do_again
from coordinator.ledger import read_report
from coordinator.prepared import place_prepared
from coordinator.submit import accept, job_request
from engine_workers.media.preparer import Preparer
from engine_workers.work import Worker
from schemas.audio import Channels
from schemas.jobs import JobState
from schemas.media import MediaMessage
from schemas.runs import RunMessage
from schemas.tables import EngineRun, Job
from tests.integration.engine_rows import stage
from tests.unit.media_files import RATE, tone, wav

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.audio import AudioRef
    from schemas.database import Database
    from schemas.settings import Settings

#: The call's length in seconds.
SECONDS = 3.0


@pytest.fixture
def call(settings: Settings) -> AudioRef:
    """Return a staged call whose sides are silent one after the other."""
    mono = np.frombuffer(tone(SECONDS), "<i2").copy()
    sides = np.stack([mono, mono], axis=1)
    sides[: len(mono) // 2, 1] = 0
    sides[len(mono) // 2 :, 0] = 0
    content = wav(sides.tobytes(), channels=2, rate=RATE)
    return stage(content, settings.media_root).heard(Channels.SPLIT)


def begin(database: Database, settings: Settings, call: AudioRef) -> list[RunMessage]:
    """Accept a job for the call, prepare it; return its runs as if they were admitted."""
    with database.transaction() as session:
        job = accept(session, job_request(["fake"]), call, media=settings.media).job_id
    Preparer(settings, database).run(MediaMessage(sha256=call.sha256), "worker:1")
    with database.transaction() as session:
        assert place_prepared(session, settings) == 1
    return running(database, job)


def running(database: Database, job: UUID) -> list[RunMessage]:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job).values(state="running"))
        ids = session.scalars(
            select(EngineRun.id).where(EngineRun.job_id == job).order_by(EngineRun.chunk)
        ).all()
    return [RunMessage(run_id=run, job_id=job) for run in ids]


def test_each_channel_is_a_run_and_they_become_one_transcript(
    database: Database, settings: Settings, call: AudioRef
) -> None:
    messages = begin(database, settings, call)
    assert len(messages) == 2
    for message in messages:
        Worker(settings, database).run(message, "me")
    job = messages[0].job_id
    assert finish(database, job) is Ending.COMPLETED
    with database.transaction() as session:
        report = read_report(session, job)
    assert report is not None
    assert report.audio_seconds == pytest.approx(SECONDS)
    assert {one.speaker for one in report.merged.segments} == {"channel 1", "channel 2"}
    words = [word for one in report.merged.segments for word in one.words]
    assert len(words) == 2 * 2 * SECONDS, "two a second from each"
    assert all(word.end is not None and word.end <= SECONDS for word in words)
    assert make_report(from_job(database, str(job))) == report


def test_a_later_job_of_the_same_call_is_cut_by_channel_at_once(
    database: Database, settings: Settings, call: AudioRef
) -> None:
    begin(database, settings, call)
    with database.transaction() as session:
        job = accept(session, job_request(["fake"]), call, media=settings.media).job_id
    assert len(running(database, job)) == 2


def test_an_engine_that_is_added_hears_the_channels_apart_too(
    database: Database, settings: Settings, call: AudioRef
) -> None:
    messages = begin(database, settings, call)
    for message in messages:
        Worker(settings, database).run(message, "me")
    finish(database, messages[0].job_id)
    with database.transaction() as session:
        new = do_again(session, settings, messages[0].job_id, ["moonshine"])
        assert new is not None
        rows = session.execute(
            select(EngineRun.engine, EngineRun.state, EngineRun.chunk_start)
            .where(EngineRun.job_id == new)
            .order_by(EngineRun.position, EngineRun.chunk)
        ).all()
    assert [tuple(row) for row in rows] == [
        ("fake", "succeeded", 0.0),
        ("fake", "succeeded", SECONDS),
        ("moonshine", "queued", 0.0),
        ("moonshine", "queued", SECONDS),
    ]


def test_a_call_with_too_many_channels_fails_with_the_reason(
    database: Database, settings: Settings
) -> None:
    content = wav(bytes(2 * 9 * RATE), channels=9, rate=RATE)
    many = stage(content, settings.media_root).heard(Channels.SPLIT)
    begin(database, settings, many)
    with database.transaction() as session:
        job = session.scalars(select(Job)).one()
        # The helper made it run again; what counts is what it failed of.
        assert job.failure is not None
        assert "9 channels" in job.failure["message"]
        assert job.finished_at is not None
    assert JobState.FAILED.terminal
