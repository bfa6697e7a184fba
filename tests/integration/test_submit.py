"""A job is accepted whole or not at all, once a key, whoever asks how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from coordinator.errors import BadRequestError, IdempotencyConflictError
from coordinator.ledger import read_events, read_job, request_cancel
from coordinator.submit import Accepted, accept, job_request
from schemas.audio import AudioRef
from schemas.jobs import JobState
from schemas.runs import RunState
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
OTHER = AudioRef(sha256="b" * 64, size=1, name="talk.wav")
REQUEST = job_request(["fake", "moonshine"], "en", {"fake": {"text": "hello"}})


def submit(database: Database, audio: AudioRef = AUDIO, **how: object) -> Accepted:
    with database.transaction() as session:
        return accept(session, REQUEST, audio, **how)  # type: ignore[arg-type]


def test_a_job_has_one_run_an_engine_in_the_order_asked(database: Database) -> None:
    accepted = submit(database)
    with database.transaction() as session:
        view = read_job(session, accepted.job_id)
        story = read_events(session, accepted.job_id)
    assert accepted.created
    assert (view.state, view.audio, view.request) == (JobState.QUEUED, AUDIO, REQUEST)
    assert [(run.engine, run.state) for run in view.runs] == [
        ("fake", RunState.QUEUED),
        ("moonshine", RunState.QUEUED),
    ]
    assert [event.kind for event in story] == ["job_submitted"]


def test_without_a_key_every_submission_is_a_job_of_its_own(database: Database) -> None:
    assert submit(database).job_id != submit(database).job_id


def test_the_same_key_is_the_same_job(database: Database) -> None:
    first = submit(database, idempotency_key="k1")
    second = submit(database, idempotency_key="k1")
    assert (second.job_id, second.created) == (first.job_id, False)
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(EngineRun)) == 2


def test_the_same_key_for_another_recording_is_a_conflict_that_says_what_differs(
    database: Database,
) -> None:
    first = submit(database, idempotency_key="k1")
    with pytest.raises(IdempotencyConflictError, match=r"audio was 'aaa.*is now 'bbb") as caught:
        submit(database, audio=OTHER, idempotency_key="k1")
    assert str(first.job_id) in str(caught.value)


def test_twenty_submissions_of_one_key_at_once_make_one_job(database: Database) -> None:
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda _: submit(database, idempotency_key="k1"), range(20)))
    assert len({accepted.job_id for accepted in made}) == 1
    assert [accepted.created for accepted in made].count(True) == 1


def test_an_unfinished_equal_job_is_joined_rather_than_doubled(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: submit(database, join_open=True), range(8)))
    assert len({accepted.job_id for accepted in made}) == 1
    other = submit(database, audio=OTHER, join_open=True)
    assert other.created


def test_a_cancelled_job_is_not_joined(database: Database) -> None:
    first = submit(database, join_open=True)
    with database.transaction() as session:
        request_cancel(session, first.job_id)
    assert submit(database, join_open=True).created


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "a\x00b", "a\u202eb"])
def test_keys_that_cannot_be_kept_are_refused(database: Database, key: str) -> None:
    with pytest.raises(BadRequestError, match="idempotency key"):
        submit(database, idempotency_key=key)
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
