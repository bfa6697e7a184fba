"""A recording is prepared once, whatever happens meanwhile; the jobs that wait for it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text, update

from coordinator import media_queue
from coordinator.app import make_app
from coordinator.broker import queue_length
from coordinator.bulk import accept_many
from coordinator.holding import pause, resume
from coordinator.ledger import read_events, read_job, request_cancel
from coordinator.preparations import Preparations
from coordinator.prepared import place_prepared
from coordinator.submit import accept, job_request
from coordinator.why import explain
from engine_workers.errors import NotClaimableError, StaleLeaseError
from engine_workers.media import lease as leases
from engine_workers.media.preparer import Preparer
from schemas.jobs import JobState
from schemas.live_settings import LiveSettings
from schemas.media import MediaMessage, MediaState
from schemas.media_table import Medium
from schemas.names import QUEUE_MEDIA
from schemas.runs import FailureKind
from schemas.tables import EngineRun
from tests.integration.engine_rows import stage
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.audio import AudioRef
    from schemas.database import Database
    from schemas.settings import Settings

ENGINES = ("fake", "other")
#: Longer ago than anything here lasts, in seconds.
LONG_AGO = 3600.0


@pytest.fixture
def cutting(settings: Settings) -> Settings:
    """Return settings by which twelve seconds are cut into three chunks."""
    media = settings.media.model_copy(update={"chunk_seconds": 4.0})
    return settings.model_copy(update={"media": media})


@pytest.fixture
def audio(settings: Settings) -> AudioRef:
    """Return a staged recording of twelve seconds."""
    return stage(wav(tone(12.0)), settings.media_root)


def submit(database: Database, settings: Settings, audio: AudioRef) -> UUID:
    """Accept a job of two engines."""
    with database.transaction() as session:
        return accept(session, job_request(ENGINES), audio, media=settings.media).job_id


def prepare(database: Database, settings: Settings, audio: AudioRef) -> MediaState:
    """Do what a worker does with the message."""
    return Preparer(settings, database).run(MediaMessage(sha256=audio.sha256), "worker:1")


def place(database: Database, settings: Settings) -> int:
    """Do what the coordinator does afterwards."""
    with database.transaction() as session:
        return place_prepared(session, settings)


def runs(database: Database, job_id: UUID) -> list[EngineRun]:
    """Return the job's runs, by engine and chunk."""
    with database.transaction() as session:
        query = select(EngineRun).where(EngineRun.job_id == job_id)
        return list(session.scalars(query.order_by(EngineRun.position, EngineRun.chunk)))


def places(database: Database, job_id: UUID) -> set[str | None]:
    """Return where the job's runs stand."""
    return {run.place for run in runs(database, job_id)}


def medium(database: Database, audio: AudioRef) -> Medium:
    """Return the recording's row."""
    with database.transaction() as session:
        return session.execute(select(Medium).where(Medium.sha256 == audio.sha256)).scalar_one()


def change(database: Database, **values: object) -> None:
    """Write on all recordings as time, or another process, would."""
    with database.transaction() as session:
        session.execute(update(Medium).values(**values))


def long_ago() -> object:
    """Return a moment of the past, by the database's clock."""
    return func.now() - func.make_interval(0, 0, 0, 0, 0, 0, LONG_AGO)


def test_two_jobs_wait_for_one_preparation(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    jobs = [submit(database, settings, audio) for _ in range(2)]
    assert all(places(database, job) == {"preparing"} for job in jobs)
    assert prepare(database, settings, audio) is MediaState.READY
    with pytest.raises(NotClaimableError):
        prepare(database, settings, audio)
    assert place(database, settings) == 2
    assert place(database, settings) == 0
    for job in jobs:
        assert places(database, job) == {"waiting"}
        assert [run.chunk_seconds for run in runs(database, job)] == [None, None]
        with database.transaction() as session:
            told = read_events(session, job)[-1]
        assert told.kind == "job_prepared"
        assert told.data["seconds"] == 12.0
        assert told.data["speech_seconds"] == 0.0
    assert medium(database, audio).attempt == 1


def test_a_job_shows_how_far_the_preparation_has_come(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    job = submit(database, settings, audio)
    held = leases.claim(database, audio.sha256, "me:1", 30.0)
    leases.renew(database, held, done_seconds=6.0, seconds=12.0)
    with database.transaction() as session:
        shown = read_job(session, job).preparation
    assert shown is not None
    assert (shown.state, shown.attempt) == (MediaState.RUNNING, 1)
    assert (shown.done_seconds, shown.seconds) == (6.0, 12.0)
    leases.give_back(database, held)
    prepare(database, settings, audio)
    place(database, settings)
    with database.transaction() as session:
        assert read_job(session, job).preparation is None


def test_a_job_on_a_prepared_recording_is_in_line_at_once(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    submit(database, settings, audio)
    prepare(database, settings, audio)
    assert places(database, submit(database, settings, audio)) == {"waiting"}
    with database.transaction() as session:
        many = accept_many(session, job_request(ENGINES), [audio, audio], media=settings.media)
    assert all(places(database, job) == {"waiting"} for job in many)


def test_a_long_recording_becomes_a_run_for_each_engine_and_chunk(
    database: Database, cutting: Settings, audio: AudioRef
) -> None:
    waited = submit(database, cutting, audio)
    prepare(database, cutting, audio)
    place(database, cutting)
    at_once = submit(database, cutting, audio)
    for job in (waited, at_once):
        found = runs(database, job)
        assert [(run.engine, run.chunk) for run in found] == [
            (engine, chunk) for engine in ENGINES for chunk in range(3)
        ]
        assert [run.chunk_start for run in found[:3]] == [0.0, 4.0, 8.0]
        assert {run.chunk_seconds for run in found} == {4.0}
        assert places(database, job) == {"waiting"}
        assert {round(run.cost, 6) for run in found} == {0.3 * 4}
    first, second = runs(database, waited), runs(database, at_once)
    with database.transaction() as session:
        created = read_job(session, waited).created_at
    assert {run.submitted_at for run in first} == {created}
    assert {run.latest_start for run in first} < {run.latest_start for run in second} or (
        max(run.latest_start for run in first) < min(run.latest_start for run in second)
    )


def test_what_cannot_be_prepared_fails_its_jobs_and_is_tried_again_for_a_new_one(
    database: Database, settings: Settings
) -> None:
    audio = stage(b"ffconcat version 1.0\nfile /etc/hostname\n", settings.media_root)
    job = submit(database, settings, audio)
    assert prepare(database, settings, audio) is MediaState.FAILED
    assert place(database, settings) == 1
    with database.transaction() as session:
        view = read_job(session, job)
    assert view.state is JobState.FAILED
    assert view.failure is not None
    assert view.failure.kind is FailureKind.BAD_MEDIA
    assert all(run.failure == view.failure for run in view.runs)
    again = submit(database, settings, audio)
    assert places(database, again) == {"preparing"}
    assert medium(database, audio).state == MediaState.QUEUED
    assert prepare(database, settings, audio) is MediaState.FAILED


def test_a_job_that_is_cancelled_meanwhile_stays_so(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    job = submit(database, settings, audio)
    with database.transaction() as session:
        assert request_cancel(session, job).state is JobState.CANCELLED
    prepare(database, settings, audio)
    assert place(database, settings) == 0
    assert places(database, job) == {None}


def test_a_job_that_is_paused_meanwhile_is_held_until_it_goes_on(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    job = submit(database, settings, audio)
    with database.transaction() as session:
        pause(session, job)
    with database.transaction() as session:
        reason = explain(session, job, settings.scheduling).runs[0].reason
    assert "being prepared" in reason
    prepare(database, settings, audio)
    place(database, settings)
    assert places(database, job) == {"held"}
    with database.transaction() as session:
        resume(session, job)
    assert places(database, job) == {"waiting"}


def test_a_recording_that_is_not_there_is_tried_again_later(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    submit(database, settings, audio)
    (settings.media_root / audio.key).unlink()
    assert prepare(database, settings, audio) is MediaState.QUEUED
    row = medium(database, audio)
    assert row.failure is not None
    assert row.failure["kind"] == FailureKind.STORAGE
    assert row.due_at is not None


def test_a_dead_lease_is_ended_and_the_third_is_the_last(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    job = submit(database, settings, audio)
    for attempt in (1, 2, 3):
        held = leases.claim(database, audio.sha256, "dead:1", 30.0)
        assert held.attempt == attempt
        change(database, lease_expires_at=long_ago())
        with database.transaction() as session:
            assert media_queue.end_dead_leases(session) == 1
        with pytest.raises(StaleLeaseError):
            leases.renew(database, held, done_seconds=1.0, seconds=None)
    place(database, settings)
    with database.transaction() as session:
        failure = read_job(session, job).failure
    assert failure is not None
    assert failure.kind is FailureKind.WORKER_LOST


def test_a_worker_that_was_thought_dead_writes_nothing(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    submit(database, settings, audio)
    old = leases.claim(database, audio.sha256, "slow:1", 30.0)
    change(database, lease_expires_at=long_ago())
    assert prepare(database, settings, audio) is MediaState.READY
    with pytest.raises(StaleLeaseError):
        leases.give_back(database, old)
    assert medium(database, audio).state == MediaState.READY


def test_the_coordinator_publishes_once_and_again_what_was_lost(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    app = make_app(settings)
    found = Preparations(database, app, LiveSettings(settings, follow=False))
    submit(database, settings, audio)
    found.work()
    found.work()
    assert queue_length(app, QUEUE_MEDIA) == 1
    change(database, published_at=long_ago())
    assert found.look(60.0)["media_republished"] == 0, "it still waits in the queue"
    with app.pool.acquire(block=True) as connection:
        connection.default_channel.client.flushall()
    assert found.look(60.0)["media_republished"] == 1
    found.work()
    assert queue_length(app, QUEUE_MEDIA) == 1
    prepare(database, settings, audio)
    found.hear([f"media:{audio.sha256}"])
    assert found.work() == 1
    app.close()


def test_nothing_heard_costs_no_question(database: Database, settings: Settings) -> None:
    app = make_app(settings)
    found = Preparations(database, app, LiveSettings(settings, follow=False))
    found.work()
    database.dispose()
    broken = Preparations.__new__(Preparations)
    broken.__dict__.update(found.__dict__, _database=None)
    broken.hear(["", "freed", "0b5a2c64-9a4c-4b5c-8f5e-0a2f5d3b3d11"])
    assert broken.work() == 0
    app.close()


def test_a_row_that_somebody_removed_is_made_again(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    submit(database, settings, audio)
    with database.transaction() as session:
        session.execute(text("DELETE FROM media"))
        media_queue.want_missing(session)
    assert prepare(database, settings, audio) is MediaState.READY
    assert place(database, settings) == 1


def test_a_stack_that_starts_anew_forgives_what_it_cut_off(
    database: Database, settings: Settings, audio: AudioRef
) -> None:
    submit(database, settings, audio)
    leases.claim(database, audio.sha256, "gone:1", 30.0)
    with database.transaction() as session:
        assert media_queue.reopen_media(session) == 1
    row = medium(database, audio)
    assert (row.state, row.attempt, row.forgiven) == ("queued", 1, 1)
    assert row.due_at is not None
