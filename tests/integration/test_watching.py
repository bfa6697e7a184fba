"""Watchers are woken by the database, not by a clock."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from coordinator import watching
from coordinator.errors import JobNotFoundError, WaitTimeoutError
from coordinator.submit import accept, job_request
from coordinator.watching import watch_jobs
from schemas.audio import AudioRef
from schemas.database import record_event
from schemas.jobs import JobState, JobView
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")


def submit(database: Database) -> UUID:
    with database.transaction() as session:
        return accept(session, job_request(["fake"]), AUDIO).job_id


def set_state(database: Database, job_id: UUID, state: JobState) -> None:
    with database.transaction() as session:
        ended = {"finished_at": text("now()")} if state.terminal else {}
        session.execute(update(Job).where(Job.id == job_id).values(state=state.value, **ended))
        record_event(session, job_id, "changed")


def test_a_watcher_sees_every_state_then_ends_with_the_job(database: Database) -> None:
    job_id = submit(database)
    views: Iterator[JobView] = watch_jobs(database, [job_id], timeout=30)
    assert next(views).state is JobState.QUEUED
    for state in (JobState.RUNNING, JobState.COMPLETED):
        set_state(database, job_id, state)
        assert next(views).state is state
    assert list(views) == []


def test_a_change_reaches_a_sleeping_watcher_long_before_any_fallback(database: Database) -> None:
    job_id = submit(database)
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(lambda: list(watch_jobs(database, [job_id], timeout=60)))
        began = time.monotonic()
        set_state(database, job_id, JobState.FAILED)
        assert seen.result(timeout=60)[-1].state is JobState.FAILED
    assert time.monotonic() - began < watching.QUIET_SECONDS / 2


def test_other_jobs_changes_wake_nobody(database: Database) -> None:
    watched, other = submit(database), submit(database)
    views = watch_jobs(database, [watched], timeout=30)
    next(views)
    set_state(database, other, JobState.COMPLETED)
    set_state(database, watched, JobState.CANCELLED)
    assert [view.id for view in views] == [watched]


def test_a_job_that_has_ended_is_shown_once(database: Database) -> None:
    job_id = submit(database)
    set_state(database, job_id, JobState.COMPLETED)
    assert [view.state for view in watch_jobs(database, [job_id])] == [JobState.COMPLETED]


def test_waiting_has_an_end(database: Database) -> None:
    with pytest.raises(WaitTimeoutError):
        list(watch_jobs(database, [submit(database)], timeout=0.2))


def test_an_unknown_job_is_told_at_once(database: Database) -> None:
    with pytest.raises(JobNotFoundError):
        list(watch_jobs(database, [uuid4()]))


def test_a_watcher_outlives_its_cut_connection(database: Database) -> None:
    job_id = submit(database)
    views = watch_jobs(database, [job_id], timeout=30)
    next(views)
    with database.transaction() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    set_state(database, job_id, JobState.COMPLETED)
    assert list(views)[-1].state is JobState.COMPLETED


def test_a_watcher_need_not_wait_for_what_cannot_come(database: Database) -> None:
    class WorkerGoneError(Exception):
        pass

    def look() -> None:
        raise WorkerGoneError

    with pytest.raises(WorkerGoneError):
        list(watch_jobs(database, [submit(database)], timeout=60, idle=look))
