"""A job is one chord, whose tasks go out one by one; where it no longer can be, its end is seen."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, update

from coordinator.admission import admit
from coordinator.app import make_app
from coordinator.dropping import drop_runs
from coordinator.ledger import read_job, request_cancel
from coordinator.publish import publish_next
from coordinator.service import Service
from coordinator.submit import accept, job_request
from coordinator.waking import Bell, job_ids, listening
from engine_workers.claim import Lease
from engine_workers.lease import save_transcript
from schemas.audio import AudioRef
from schemas.names import QUEUE_AGGREGATION, engine_queue
from schemas.runs import FailureKind, RunState
from schemas.tables import EngineRun, Job
from schemas.transcript import Transcript
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery import Celery
    from redis import Redis

    from schemas.database import Database
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")


@pytest.fixture
def app(settings: Settings) -> Celery:
    return make_app(settings)


@pytest.fixture
def broker(app: Celery) -> Iterator[Redis]:
    with app.connection_for_read() as connection:
        yield connection.default_channel.client


def submit(database: Database, *engines: str) -> UUID:
    with database.transaction() as session:
        return accept(session, job_request(engines), AUDIO).job_id


def publish(database: Database, app: Celery) -> None:
    with database.transaction() as session:
        admit(session, RULES)
    while publish_next(database, app):
        pass


def group_of(broker: Redis, engine: str) -> str:
    """Return the group of the newest message in an engine's queue."""
    (message,) = broker.lrange(engine_queue(engine), 0, 0)
    return str(json.loads(message)["headers"]["group"])


def size_of(app: Celery, broker: Redis, group: str) -> int:
    return int(broker.get(app.backend.get_key_for_group(group, ".s")) or 0)


def in_one_chord(database: Database, job_id: UUID) -> bool:
    with database.transaction() as session:
        return session.get_one(Job, job_id).one_chord


def work_on(database: Database, job_id: UUID, position: int) -> Lease:
    """Let a worker have claimed a run."""
    with database.transaction() as session:
        run = read_job(session, job_id).runs[position]
        session.execute(
            update(EngineRun)
            .where(EngineRun.id == run.id)
            .values(state=RunState.RUNNING.value, attempt=1, started_at=func.now())
        )
    return Lease(run.id, job_id, run.engine, 1, 1, "test", 30, job_request([run.engine]), AUDIO)


def hear(database: Database, lease: Lease) -> None:
    heard = Transcript(
        engine=lease.engine, engine_version="1", model="m", audio_seconds=1, segments=()
    )
    save_transcript(database, lease, heard, 0.1)


def test_runs_that_are_admitted_one_after_the_other_count_in_one_chord(
    database: Database, app: Celery, broker: Redis
) -> None:
    job_id = submit(database, "fake", "moonshine")
    serve(database, "fake")
    publish(database, app)
    assert broker.llen(engine_queue("moonshine")) == 0
    first = group_of(broker, "fake")
    assert size_of(app, broker, first) == 2
    serve(database, "moonshine")
    publish(database, app)
    assert group_of(broker, "moonshine") == first
    assert size_of(app, broker, first) == 2
    assert in_one_chord(database, job_id)


def test_a_run_that_is_published_again_is_in_a_chord_of_its_own(
    database: Database, app: Celery, broker: Redis
) -> None:
    serve(database, "fake", "moonshine")
    job_id = submit(database, "fake", "moonshine")
    publish(database, app)
    first = group_of(broker, "fake")
    with database.transaction() as session:
        fake = read_job(session, job_id).runs[0].id
        session.execute(update(EngineRun).where(EngineRun.id == fake).values(due_at=func.now()))
    assert publish_next(database, app)
    again = group_of(broker, "fake")
    assert again != first
    assert size_of(app, broker, again) == 1
    assert not in_one_chord(database, job_id)


def test_the_end_of_a_job_whose_chord_stays_short_is_seen_without_waiting_for_a_sweep(
    database: Database, app: Celery, broker: Redis, settings: Settings
) -> None:
    # The engine that nobody serves is given up while the other one is at work.
    job_id = submit(database, "fake", "moonshine")
    serve(database, "fake")
    publish(database, app)
    lease = work_on(database, job_id, 0)
    with database.transaction() as session:
        unserved = read_job(session, job_id).runs[1].id
        drop_runs(session, [unserved], FailureKind.NOT_INSTALLED, "nobody serves it")
    with closing(Service(settings)) as service, closing(Bell()) as bell:
        with listening(database, bell) as ears:
            hear(database, lease)
            ears.wait(10)
            service.work()
            assert not service.settle(job_ids(ears.wait(10)))
        assert broker.llen(QUEUE_AGGREGATION) == 1


def test_a_job_in_one_chord_is_left_to_its_callback(
    database: Database, app: Celery, broker: Redis, settings: Settings
) -> None:
    job_id = submit(database, "fake")
    serve(database, "fake")
    publish(database, app)
    with closing(Service(settings)) as service, closing(Bell()) as bell:
        with listening(database, bell) as ears:
            hear(database, work_on(database, job_id, 0))
            ears.wait(10)
            service.work()
            bell.ring()
            assert ears.wait(10) == set()
        assert broker.llen(QUEUE_AGGREGATION) == 0


def test_a_job_that_is_cancelled_with_runs_unpublished_ends_with_the_run_at_work(
    database: Database, app: Celery, broker: Redis, settings: Settings
) -> None:
    job_id = submit(database, "fake", "moonshine")
    serve(database, "fake")
    publish(database, app)
    lease = work_on(database, job_id, 0)
    with database.transaction() as session:
        request_cancel(session, job_id)
    with closing(Service(settings)) as service, closing(Bell()) as bell:
        with listening(database, bell) as ears:
            hear(database, lease)
            ears.wait(10)
            service.work()
            service.settle(job_ids(ears.wait(10)))
        assert broker.llen(QUEUE_AGGREGATION) == 1


def test_ears_hear_jobs_and_forget_words_that_name_none(database: Database) -> None:
    job_id = uuid4()
    with closing(Bell()) as bell, listening(database, bell) as ears:
        with database.transaction() as session:
            for payload in ("", "freed", str(job_id)):
                session.execute(func.pg_notify("chordscribe_work", payload).select())
        assert job_ids(ears.wait(10)) == {job_id}
