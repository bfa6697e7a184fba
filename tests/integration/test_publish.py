"""Admitted jobs reach the broker once each, in the order they came, whatever dies in between."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from redis import Redis
from sqlalchemy import func, select, update

from coordinator.admission import admit
from coordinator.app import make_app
from coordinator.errors import BatchNotFoundError
from coordinator.holding import pause, pause_batch, resume, resume_batch
from coordinator.ledger import read_job, request_cancel
from coordinator.publish import publish_next
from coordinator.recover import reopen_interrupted
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.jobs import JobState
from schemas.names import engine_queue
from schemas.runs import RunState
from schemas.tables import Batch, EngineRun
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from celery import Celery

    from schemas.database import Database
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
ENGINES = ("fake", "moonshine")


@pytest.fixture
def app(settings: Settings) -> Celery:
    return make_app(settings)


@pytest.fixture(autouse=True)
def workers(database: Database) -> None:
    """Let both engines be served."""
    serve(database, *ENGINES)


def submit(database: Database, count: int = 1) -> list[UUID]:
    made = []
    for _ in range(count):
        with database.transaction() as session:
            made.append(accept(session, job_request(ENGINES), AUDIO).job_id)
    return made


def waiting(app: Celery, engine: str) -> list[str]:
    """Return the job ids of the messages in an engine's queue, the first to be taken first."""
    with app.connection_for_read() as connection:
        client: Redis = connection.default_channel.client
        messages = [json.loads(raw) for raw in client.lrange(engine_queue(engine), 0, -1)]
    return [json.loads(m["headers"]["kwargsrepr"].replace("'", '"'))["job_id"] for m in messages][
        ::-1
    ]


def test_jobs_are_admitted_and_published_in_the_order_they_came(
    database: Database, app: Celery
) -> None:
    jobs = submit(database, 5)
    with database.transaction() as session:
        assert set(admit(session, RULES)) == set(jobs)
    while publish_next(database, app):
        pass
    for engine in ENGINES:
        assert waiting(app, engine) == [str(job_id) for job_id in jobs]


def test_four_coordinators_at_once_publish_each_job_once(database: Database, app: Celery) -> None:
    jobs = submit(database, 40)

    def coordinate(_: int) -> None:
        while True:
            with database.transaction() as session:
                admitted = admit(session, RULES, limit=3)
            published = publish_next(database, app)
            if not admitted and not published:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(coordinate, range(4)))
    while publish_next(database, app):
        pass
    assert sorted(waiting(app, "fake")) == sorted(str(job_id) for job_id in jobs)


def test_a_job_whose_publisher_died_after_admission_is_published_by_the_next(
    database: Database, app: Celery
) -> None:
    (job_id,) = submit(database)
    with database.transaction() as session:
        admit(session, RULES)
    # The coordinator died here: nothing was published, nothing remembers it but the row.
    assert publish_next(database, app)
    assert waiting(app, "fake") == [str(job_id)]
    assert not publish_next(database, app)


def test_a_broker_that_is_away_leaves_the_job_to_be_published_later(
    database: Database, app: Celery, settings: Settings
) -> None:
    submit(database)
    with database.transaction() as session:
        admit(session, RULES)
    nowhere = settings.model_copy(update={"broker_url": _secret("redis+socket:///nowhere.sock")})
    from kombu.exceptions import OperationalError  # noqa: PLC0415

    with pytest.raises(OperationalError):
        publish_next(database, make_app(nowhere))
    assert publish_next(database, app)


def test_a_cancelled_waiting_job_is_never_published(database: Database, app: Celery) -> None:
    (job_id,) = submit(database)
    with database.transaction() as session:
        view = request_cancel(session, job_id)
    assert view.state is JobState.CANCELLED
    assert {run.state for run in view.runs} == {RunState.CANCELLED}
    with database.transaction() as session:
        assert admit(session, RULES) == ()
    assert not publish_next(database, app)


def test_a_new_stack_publishes_interrupted_jobs_again_without_the_runs_that_ended(
    database: Database, app: Celery
) -> None:
    (job_id,) = submit(database)
    with database.transaction() as session:
        admit(session, RULES)
    publish_next(database, app)
    with database.transaction() as session:
        fake, moonshine = (run.id for run in read_job(session, job_id).runs)
        session.execute(update(EngineRun).where(EngineRun.id == fake).values(state="succeeded"))
        session.execute(update(EngineRun).where(EngineRun.id == moonshine).values(state="running"))
    with app.connection_for_write() as connection:
        connection.default_channel.client.flushdb()
    with database.transaction() as session:
        assert reopen_interrupted(session) == 1
    assert publish_next(database, app)
    assert waiting(app, "fake") == []
    assert waiting(app, "moonshine") == [str(job_id)]


def test_publishing_leaves_no_subscription_behind(database: Database, app: Celery) -> None:
    submit(database, 10)
    with database.transaction() as session:
        admit(session, RULES)
    while publish_next(database, app):
        pass
    with app.connection_for_read() as connection:
        assert connection.default_channel.client.pubsub_channels() == []
    with database.transaction() as session:
        due = select(func.count()).select_from(EngineRun).where(EngineRun.due_at.is_not(None))
        assert session.scalar(due) == 0


def _secret(text: str) -> object:
    from pydantic import SecretStr  # noqa: PLC0415

    return SecretStr(text)


def test_a_paused_job_waits_until_it_is_resumed(database: Database, app: Celery) -> None:
    (held,) = submit(database)
    (other,) = submit(database)
    with database.transaction() as session:
        assert pause(session, held).paused_at is not None
    with database.transaction() as session:
        assert set(admit(session, RULES)) == {other}
    with database.transaction() as session:
        resume(session, held)
    with database.transaction() as session:
        assert set(admit(session, RULES)) == {held}
    with database.transaction() as session:
        pause(session, held)
    while publish_next(database, app):
        pass
    assert waiting(app, "fake") == [str(other)]
    with database.transaction() as session:
        resume(session, held)
    assert publish_next(database, app)
    assert waiting(app, "fake") == [str(other), str(held)]


def test_a_paused_batch_holds_its_jobs_and_those_still_to_come(database: Database) -> None:
    with database.transaction() as session:
        batch = Batch(id=uuid4(), label="tapes")
        session.add(batch)
    made = []
    for paused in (False, True):
        with database.transaction() as session:
            if paused:
                assert pause_batch(session, batch.id) == 1
            made.append(accept(session, job_request(ENGINES), AUDIO, batch_id=batch.id).job_id)
    with database.transaction() as session:
        assert admit(session, RULES) == ()
    with database.transaction() as session:
        assert resume_batch(session, batch.id) == 2
        assert set(admit(session, RULES)) == set(made)


def test_a_job_of_an_unknown_batch_is_refused(database: Database) -> None:
    with pytest.raises(BatchNotFoundError), database.transaction() as session:
        accept(session, job_request(ENGINES), AUDIO, batch_id=uuid4())
