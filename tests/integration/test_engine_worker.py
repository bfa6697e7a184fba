"""A worker process serves its engine's queue, and no message harms it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import redis
from celery import chord

from coordinator.app import know_queues, make_app
from schemas.names import QUEUE_AGGREGATION, TASK_AGGREGATE, TASK_TRANSCRIBE, engine_queue
from schemas.runs import RunState
from tests.integration.engine_rows import add_run, data_of_events, events, row, stage, until
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery import Celery

    from schemas.database import Database
    from schemas.runs import RunMessage
    from schemas.settings import Settings

#: Seconds for a worker's end: its child waits up to thirty until its parent has read what it said,
#: which Celery's parent, told to end amid that, does not always (`billiard.pool`).
END_SECONDS = 60
#: The queue of an engine that is installed, and of one that is not.
SERVED, UNKNOWN = engine_queue("fake"), engine_queue("shazam")


@pytest.fixture
def publisher(settings: Settings) -> Celery:
    """Return an app that can publish to the queues of this test's broker."""
    app = make_app(settings)
    know_queues(app, (SERVED, UNKNOWN))
    return app


@pytest.fixture
def worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of both queues until the test ends."""
    assert settings.broker_url is not None
    assert settings.database_url is not None
    env = {
        **os.environ,
        "CHORDSCRIBE_BROKER_URL": settings.broker_url.get_secret_value(),
        "CHORDSCRIBE_DATABASE_URL": settings.database_url.get_secret_value(),
        "CHORDSCRIBE_MEDIA_DIR": str(settings.media_root),
        "CHORDSCRIBE_LEASES__LEASE_SECONDS": "600",
        "C_FORCE_ROOT": "1",
    }
    command = [sys.executable, "-m", "celery", "-A", "engine_workers.app", "worker"]
    options = ["-Q", f"{SERVED},{UNKNOWN}", "-n", "test@here", "-P", "prefork", "-c", "1"]
    with subprocess.Popen([*command, *options, "--without-mingle"], env=env) as process:
        yield process
        process.terminate()
        process.wait(END_SECONDS)


def send(publisher: Celery, queue: str, *args: object, **kwargs: object) -> None:
    """Publish a message for the transcribing task."""
    publisher.send_task(TASK_TRANSCRIBE, args, kwargs, queue=queue)


def fields(message: RunMessage) -> dict[str, Any]:
    """Return the message as it goes over the wire."""
    return message.model_dump(mode="json")


def waiting(settings: Settings, queue: str) -> int:
    """Return how many messages a queue has."""
    assert settings.broker_url is not None
    url = settings.broker_url.get_secret_value().replace("redis+socket", "unix")
    with redis.Redis.from_url(url.replace("virtual_host", "db")) as broker:
        return int(broker.llen(queue))


@pytest.mark.usefixtures("worker")
def test_bad_messages_do_not_keep_it_from_the_good_ones(
    publisher: Celery, settings: Settings, database: Database
) -> None:
    audio = stage(wav(tone(1.0)), settings.media_root)
    message, other = add_run(database, audio), add_run(database, audio)
    foreign = add_run(database, audio, "shazam")
    for bad in ({}, {"run_id": "x", "job_id": 7}, {**fields(message), "extra": 1}):
        send(publisher, SERVED, **bad)
    send(publisher, SERVED, "positional", **fields(message))
    send(publisher, SERVED, **{**fields(message), "job_id": str(other.job_id)})
    send(publisher, UNKNOWN, **fields(foreign))
    for _ in range(3):
        send(publisher, SERVED, **fields(message))
    until(lambda: row(database, foreign.run_id).state == RunState.FAILED)
    until(lambda: row(database, message.run_id).state == RunState.SUCCEEDED)
    run = row(database, message.run_id)
    assert run.attempt == 1
    assert row(database, other.run_id).state == RunState.QUEUED


@pytest.mark.usefixtures("worker")
def test_the_death_of_a_child_is_known_long_before_its_lease_ends(
    publisher: Celery, settings: Settings, database: Database
) -> None:
    audio = stage(wav(tone(1.0)), settings.media_root)
    poison, good = add_run(database, audio, fail="worker_lost"), add_run(database, audio)
    for message in (poison, good):
        send(publisher, SERVED, **fields(message))
    until(lambda: row(database, good.run_id).state == RunState.SUCCEEDED)
    until(lambda: "run_retried" in events(database, poison.job_id))
    run = row(database, poison.run_id)
    assert (run.state, run.owner, run.attempt) == ("queued", None, 1)
    assert run.due_at is not None
    told = dict(data_of_events(database, poison.job_id))["run_retried"]
    assert told["kind"] == "worker_lost"
    assert "SIGKILL" in str(told["why"])
    for _ in range(2):
        send(publisher, SERVED, **fields(poison))
    until(lambda: row(database, poison.run_id).state == RunState.FAILED)
    assert row(database, poison.run_id).attempt == 3


@pytest.mark.usefixtures("worker")
def test_the_last_outcome_of_a_chord_asks_for_the_aggregation(
    publisher: Celery, settings: Settings, database: Database
) -> None:
    audio = stage(wav(tone(1.0)), settings.media_root)
    good, bad = add_run(database, audio), add_run(database, audio, fail="bad_media")
    header = [
        publisher.signature(TASK_TRANSCRIBE, kwargs=fields(one), queue=SERVED, immutable=True)
        for one in (good, bad)
    ]
    body = publisher.signature(
        TASK_AGGREGATE, kwargs={"job_id": "j"}, queue=QUEUE_AGGREGATION, immutable=True
    )
    chord(header, body, app=publisher).apply_async()
    until(lambda: waiting(settings, QUEUE_AGGREGATION) == 1)
    assert row(database, good.run_id).state == RunState.SUCCEEDED
    assert row(database, bad.run_id).state == RunState.FAILED
