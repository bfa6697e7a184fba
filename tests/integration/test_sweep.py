"""Whatever died, the next sweep finds what it left behind."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import text, update

from coordinator import sweep
from coordinator.admission import admit
from coordinator.app import make_app
from coordinator.ledger import read_events, read_job, request_cancel
from coordinator.publish import publish_next, queue_lengths
from coordinator.service import Service
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.jobs import JobState
from schemas.names import QUEUE_AGGREGATION
from schemas.retries import MAX_ATTEMPTS
from schemas.runs import FailureKind, RunState
from schemas.tables import EngineRun
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from celery import Celery

    from schemas.database import Database
    from schemas.jobs import JobView
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
LEASE_SECONDS = 30.0


@pytest.fixture
def app(settings: Settings) -> Celery:
    return make_app(settings)


@pytest.fixture
def job_id(database: Database, app: Celery) -> UUID:
    """Return a job of one run that was published a minute ago."""
    return publish(database, app)


def publish(database: Database, app: Celery) -> UUID:
    serve(database, "fake")
    with database.transaction() as session:
        job = accept(session, job_request(["fake"]), AUDIO).job_id
        admit(session, RULES)
    assert publish_next(database, app)
    change(database, job, published_at=text("now() - interval '60 s'"))
    return job


def change(database: Database, job: UUID, **values: object) -> None:
    with database.transaction() as session:
        session.execute(update(EngineRun).where(EngineRun.job_id == job).values(**values))


def look(database: Database, job: UUID) -> tuple[JobView, list[str]]:
    with database.transaction() as session:
        return read_job(session, job), [event.kind for event in read_events(session, job)]


def claim(database: Database, job: UUID, attempt: int, ends: str) -> None:
    change(
        database,
        job,
        state="running",
        owner="worker:1",
        attempt=attempt,
        started_at=text("now() - interval '60 s'"),
        lease_expires_at=text(f"now() {ends}"),
    )


def test_a_run_whose_lease_ended_is_due_again(database: Database, job_id: UUID) -> None:
    claim(database, job_id, 1, "- interval '1 s'")
    with database.transaction() as session:
        assert sweep.end_dead_leases(session) == 1
    view, story = look(database, job_id)
    assert view.runs[0].state is RunState.QUEUED
    assert "run_rescued" in story


def test_a_living_lease_is_left_alone(database: Database, job_id: UUID) -> None:
    claim(database, job_id, 1, "+ interval '20 s'")
    with database.transaction() as session:
        assert sweep.end_dead_leases(session) == 0
    assert look(database, job_id)[0].runs[0].state is RunState.RUNNING


def test_a_run_that_lost_its_worker_at_every_attempt_has_failed(
    database: Database, job_id: UUID
) -> None:
    claim(database, job_id, MAX_ATTEMPTS, "- interval '1 s'")
    with database.transaction() as session:
        sweep.end_dead_leases(session)
    (run,) = look(database, job_id)[0].runs
    assert run.state is RunState.FAILED
    assert run.failure is not None
    assert run.failure.kind is FailureKind.WORKER_LOST


def test_a_dead_run_of_a_cancelled_job_is_not_tried_again(database: Database, job_id: UUID) -> None:
    claim(database, job_id, 1, "- interval '1 s'")
    with database.transaction() as session:
        request_cancel(session, job_id)
    with database.transaction() as session:
        sweep.end_dead_leases(session)
        assert sweep.end_cancelled(session) == 1
    view, story = look(database, job_id)
    assert (view.state, view.runs[0].state) == (JobState.CANCELLED, RunState.CANCELLED)
    assert story[-1] == "job_cancelled"


def test_a_message_that_the_broker_lost_is_published_again(
    database: Database, app: Celery, settings: Settings, job_id: UUID
) -> None:
    with app.connection_for_write() as connection:
        connection.default_channel.client.flushdb()
    with closing(Service(settings)) as service:
        service.sweep()
        service.work()
    assert queue_lengths(app, ["fake"]) == {"fake": 1}
    assert "run_republished" in look(database, job_id)[1]


def test_a_message_that_waits_its_turn_is_not_doubled(
    database: Database, app: Celery, job_id: UUID
) -> None:
    with database.transaction() as session:
        lengths = queue_lengths(app, sweep.engines_waited_for(session, LEASE_SECONDS))
        assert lengths == {"fake": 1}
        assert sweep.republish_lost(session, LEASE_SECONDS, lengths) == 0


def test_a_message_that_later_ones_overtook_is_published_again(
    database: Database, app: Celery, job_id: UUID
) -> None:
    later = publish(database, app)
    claim(database, later, 1, "+ interval '20 s'")
    change(database, job_id, published_at=text("now() - interval '90 s'"))
    with database.transaction() as session:
        assert sweep.republish_lost(session, LEASE_SECONDS, {"fake": 1}) == 1
    assert "run_republished" in look(database, job_id)[1]
    assert "run_republished" not in look(database, later)[1]


def test_a_job_whose_callback_was_lost_is_compared_all_the_same(
    database: Database, app: Celery, settings: Settings, job_id: UUID
) -> None:
    change(database, job_id, state="succeeded", finished_at=text("now() - interval '60 s'"))
    with closing(Service(settings)) as service:
        service.sweep()
    with app.connection_for_read() as connection:
        waiting = connection.default_channel.client.llen(QUEUE_AGGREGATION)
    assert waiting == 1
    assert "aggregation_republished" in look(database, job_id)[1]


def test_two_sweepers_at_once_rescue_each_run_once(database: Database, app: Celery) -> None:
    jobs = [publish(database, app) for _ in range(20)]
    for job in jobs:
        claim(database, job, 1, "- interval '1 s'")
    with database.transaction() as first:
        assert sweep.take_lock(first)
        with database.transaction() as second:
            assert not sweep.take_lock(second)
        assert sweep.end_dead_leases(first) == len(jobs)
    for job in jobs:
        assert look(database, job)[1].count("run_rescued") == 1
