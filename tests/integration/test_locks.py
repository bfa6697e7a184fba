"""Whoever works on a job and its runs at the same time as another waits, at most: no deadlock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, text, update
from sqlalchemy.orm import Session

from coordinator.holding import pause
from coordinator.ledger import request_cancel
from schemas.audio import AudioRef
from schemas.database import Database, record_event
from schemas.runs import RunMessage
from schemas.tables import EngineRun
from tests.integration.engine_rows import add_run, until, waiting_for_locks

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")

#: What locks the job first and its runs afterwards.
WISHES: list[Callable[[Session, RunMessage], object]] = [
    lambda session, run: request_cancel(session, run.job_id),
    lambda session, run: (
        pause(session, run.job_id),
        session.execute(
            update(EngineRun).where(EngineRun.id == run.run_id).values(due_at=func.now())
        ),
    ),
]


@pytest.mark.parametrize("wish", WISHES, ids=["cancel", "pause"])
def test_a_worker_that_holds_a_run_can_still_tell_its_jobs_story(
    database: Database, wish: Callable[[Session, RunMessage], object]
) -> None:
    run = add_run(database, AUDIO)

    def change() -> None:
        with database.transaction() as session:
            wish(session, run)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            session.execute(update(EngineRun).where(EngineRun.id == run.run_id).values(attempt=1))
            wished = pool.submit(change)
            until(lambda: waiting_for_locks(database) > 0)
            record_event(session, run.job_id, "run_started")
        wished.result()
    with database.transaction() as session:
        story = text("SELECT count(*) FROM job_events WHERE job_id = :job AND kind = 'run_started'")
        assert session.scalar(story, {"job": run.job_id}) == 1
