"""What was done is not done again: failed jobs are tried again, engines are added, alone."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from coordinator.admission import admit
from coordinator.batches.again import do_again
from coordinator.batches.changing import add_engines, retry_failed
from coordinator.batches.looking import read_batch
from coordinator.errors import BadRequestError
from coordinator.ledger import read_events, read_job
from coordinator.publish import TAKE_DUE
from coordinator.submit import accept, job_request
from coordinator.sweep import jobs_to_end
from schemas.audio import AudioRef
from schemas.batch_tables import BatchItem
from schemas.jobs import JobState
from schemas.runs import RunState
from schemas.tables import Batch, EngineRun, Job
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
BATCH = UUID(int=7)
HEARD = zlib.compress(json.dumps({"heard": "words"}).encode())


def ended(database: Database, state: JobState, **runs: RunState) -> UUID:
    """Add a job of the batch that has ended with its runs in these states; return its id."""
    with database.transaction() as session:
        session.merge(Batch(id=BATCH))
        session.execute(
            text(
                "INSERT INTO media (sha256, audio, state, seconds, prepared) "
                "VALUES (:sha, '{}', 'ready', 10, '{}') ON CONFLICT DO NOTHING"
            ),
            {"sha": AUDIO.sha256},
        )
        job = accept(session, job_request(list(runs)), AUDIO, batch_id=BATCH).job_id
        session.add(BatchItem(batch_id=BATCH, mark=str(job), job_id=job, source="talk.wav"))
        past = func.now() - func.make_interval(0, 0, 0, 1)
        for engine, run in runs.items():
            heard = {"transcript": HEARD, "audio_seconds": 10.0} if run == "succeeded" else {}
            session.execute(
                update(EngineRun)
                .where(EngineRun.job_id == job, EngineRun.engine == engine)
                .values(state=run.value, place=None, finished_at=past, **heard)
            )
        session.execute(
            update(Job).where(Job.id == job).values(state=state.value, finished_at=past)
        )
    return job


def states(database: Database, job: UUID) -> dict[str, RunState]:
    with database.transaction() as session:
        return {run.engine: run.state for run in read_job(session, job).runs}


def test_an_added_engine_alone_is_asked(database: Database, settings: Settings) -> None:
    old = ended(database, JobState.COMPLETED, moonshine=RunState.SUCCEEDED, slow=RunState.SUCCEEDED)
    with database.transaction() as session:
        new = do_again(session, settings, old, ["fake"])
    assert new is not None
    assert states(database, new) == {
        "moonshine": RunState.SUCCEEDED,
        "slow": RunState.SUCCEEDED,
        "fake": RunState.QUEUED,
    }
    with database.transaction() as session:
        heard = select(EngineRun.transcript).where(EngineRun.job_id == new)
        kept = session.scalars(heard.order_by(EngineRun.position)).all()
        assert kept == [HEARD, HEARD, None]
        assert session.scalar(select(BatchItem.job_id)) == new
        assert read_batch(session, BATCH).counts[JobState.QUEUED] == 1
        assert read_batch(session, BATCH).total == 1
        told = read_events(session, new)[0].data
        assert (told["again"], told["reused"]) == (str(old), ["moonshine", "slow"])


def test_the_chord_of_such_a_job_waits_for_the_asked_engine_alone(
    database: Database, settings: Settings
) -> None:
    serve(database, "fake")
    old = ended(database, JobState.COMPLETED, moonshine=RunState.SUCCEEDED)
    with database.transaction() as session:
        new = do_again(session, settings, old, ["fake"])
        assert admit(session, RULES) == (new,)
        (due,) = session.execute(TAKE_DUE, {"most": 10}).all()
    assert (due.engine, due.runs, due.published) == ("fake", 1, 0)


def test_a_failed_job_is_tried_again_without_the_engines_that_answered(
    database: Database, settings: Settings
) -> None:
    ended(database, JobState.FAILED, moonshine=RunState.SUCCEEDED, fake=RunState.FAILED)
    ended(database, JobState.COMPLETED, fake=RunState.SUCCEEDED)
    assert retry_failed(database, settings, BATCH) == 1
    assert retry_failed(database, settings, BATCH) == 0  # it is being tried
    with database.transaction() as session:
        new = session.scalars(select(Job.id).where(Job.state == "queued")).one()
        assert read_batch(session, BATCH).total == 2
    assert states(database, new) == {"moonshine": RunState.SUCCEEDED, "fake": RunState.QUEUED}


def test_jobs_that_miss_an_engine_are_tried_again_when_wanted(
    database: Database, settings: Settings
) -> None:
    job = ended(database, JobState.COMPLETED, moonshine=RunState.SUCCEEDED, fake=RunState.FAILED)
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job).values(degraded=True))
    assert retry_failed(database, settings, BATCH) == 0
    assert retry_failed(database, settings, BATCH, degraded=True) == 1


def test_a_job_of_which_every_engine_answered_is_compared_at_once(
    database: Database, settings: Settings
) -> None:
    """Its comparison failed, for instance."""
    old = ended(database, JobState.FAILED, fake=RunState.SUCCEEDED)
    with database.transaction() as session:
        new = do_again(session, settings, old)
    assert new is not None
    with database.transaction() as session:
        assert jobs_to_end(session, 0.0, among=[new]) == (new,)


def test_an_engine_is_added_to_the_completed_jobs_of_a_batch_once(
    database: Database, settings: Settings
) -> None:
    for _ in range(3):
        ended(database, JobState.COMPLETED, moonshine=RunState.SUCCEEDED)
    ended(database, JobState.FAILED, moonshine=RunState.FAILED)
    assert add_engines(database, settings, BATCH, ["fake"]) == 3
    assert add_engines(database, settings, BATCH, ["fake"]) == 0


def test_a_job_that_has_not_ended_is_left_alone(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        job = accept(session, job_request(["fake"]), AUDIO).job_id
    with pytest.raises(BadRequestError, match="has not ended"), database.transaction() as session:
        do_again(session, settings, job, ["moonshine"])
