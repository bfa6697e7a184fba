"""What a dead worker leaves in the broker goes once its job has ended, and not before."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from coordinator.admission import admit
from coordinator.app import make_app
from coordinator.publish import publish_next
from coordinator.submit import accept, job_request
from coordinator.tidy import Tidier
from schemas.audio import AudioRef
from schemas.names import engine_queue
from schemas.tables import Job
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from celery import Celery
    from redis import Redis

    from schemas.database import Database
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
SILENT_SECONDS = 30.0


@pytest.fixture
def app(settings: Settings) -> Iterator[Celery]:
    with closing(make_app(settings)) as made:
        yield made


@pytest.fixture
def broker(app: Celery) -> Iterator[Redis]:
    with app.connection_for_read() as connection:
        yield connection.default_channel.client


@pytest.fixture
def job_id(database: Database, app: Celery, broker: Redis) -> UUID:
    """Return a published job of whose two messages a worker had one when it died."""
    serve(database, "fake", "moonshine")
    with database.transaction() as session:
        job = accept(session, job_request(["fake", "moonshine"]), AUDIO).job_id
        admit(session, RULES)
    assert publish_next(database, app)
    broker.rpop(engine_queue("moonshine"))
    raw = broker.rpop(engine_queue("fake"))
    assert isinstance(raw, bytes)
    broker.hset("unacked", "tag", json.dumps([json.loads(raw), "", engine_queue("fake")]))
    broker.zadd("unacked_index", {"tag": 1.0})
    return job


def tidy(database: Database, app: Celery) -> int:
    with database.transaction() as session:
        return Tidier(app).tidy(session, SILENT_SECONDS)


def end(database: Database, job_id: UUID, ago: str) -> None:
    with database.transaction() as session:
        ended = text(f"now() - interval '{ago}'")
        session.execute(
            update(Job).where(Job.id == job_id).values(state="completed", finished_at=ended)
        )


def chords(broker: Redis) -> list[bytes]:
    return list(broker.scan_iter("celery-taskset-meta-*"))


def test_messages_and_counters_of_ended_jobs_go(
    database: Database, app: Celery, broker: Redis, job_id: UUID
) -> None:
    assert chords(broker)
    end(database, job_id, "1 minute")
    assert tidy(database, app) > 1
    assert not broker.exists("unacked", "unacked_index")
    assert not chords(broker)


@pytest.mark.parametrize("ago", [None, "1 second"])
def test_jobs_that_run_or_have_just_ended_are_left_alone(
    database: Database, app: Celery, broker: Redis, job_id: UUID, ago: str | None
) -> None:
    if ago:
        end(database, job_id, ago)
    assert tidy(database, app) == 0
    assert broker.hlen("unacked") == 1
    assert chords(broker)


@pytest.mark.parametrize("strange", [b"", b"[]", b'[{"body": "!"}, 1, 2]', b"\xff"])
def test_what_is_none_of_ours_is_left_alone(
    database: Database, app: Celery, broker: Redis, strange: bytes
) -> None:
    broker.hset("unacked", "tag", strange)
    broker.zadd("unacked_index", {"tag": 1.0})
    broker.set("celery-taskset-meta-another's.s", 2)
    assert tidy(database, app) == 0
    assert broker.hlen("unacked") == 1
    assert chords(broker)
