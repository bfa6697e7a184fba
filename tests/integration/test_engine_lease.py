"""Only who holds the lease writes, and what it writes says what happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import func

from engine_workers.claim import Lease, claim
from engine_workers.errors import CancelledError, StaleLeaseError
from engine_workers.heartbeat import Heartbeat
from engine_workers.lease import renew, save_failure, save_transcript
from engine_workers.watchdog import Watchdog
from schemas.audio import AudioRef
from schemas.names import CHANNEL_JOBS, CHANNEL_WORK
from schemas.retries import RETRY_RULES
from schemas.runs import Failure, FailureKind, RunMessage, RunState
from schemas.settings import LimitSettings
from schemas.transcript import Segment, Transcript
from tests.integration.engine_rows import (
    PATIENCE_SECONDS,
    add_run,
    change_job,
    events,
    expire_lease,
    row,
    transcript,
    until,
)

if TYPE_CHECKING:
    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
HEARD = Transcript(
    engine="fake",
    engine_version="1",
    model="",
    audio_seconds=9.5,
    segments=(Segment(text="hm", start=0.0, end=1.0),),
)


def taken(database: Database, owner: str = "me", lease_seconds: float = 30.0) -> Lease:
    """Return the lease of a new run."""
    lease = claim(database, add_run(database, AUDIO), owner, lease_seconds)
    assert isinstance(lease, Lease)
    return lease


def taken_over(database: Database, lease: Lease) -> Lease:
    """Let the lease run out, and return the one that another worker then gets."""
    expire_lease(database, lease.run_id)
    message = RunMessage(run_id=lease.run_id, job_id=lease.job_id)
    other = claim(database, message, "another", lease.seconds)
    assert isinstance(other, Lease)
    return other


def test_what_was_heard_is_stored(database: Database) -> None:
    lease = taken(database)
    outcome = save_transcript(database, lease, HEARD, 1.5)
    assert (outcome.run_id, outcome.state) == (lease.run_id, RunState.SUCCEEDED)
    assert transcript(database, lease.run_id) == HEARD
    run = row(database, lease.run_id)
    assert (run.state, run.audio_seconds, run.processing_seconds) == ("succeeded", 9.5, 1.5)
    assert (run.owner, run.lease_expires_at, run.progress_seconds) == (None, None, 9.5)
    assert events(database, lease.job_id) == ["run_started", "run_succeeded"]


def test_a_stale_lease_writes_nothing(database: Database) -> None:
    stale = taken(database)
    fresh = taken_over(database, stale)
    failure = Failure(kind=FailureKind.ENGINE_ERROR, message="late")
    with pytest.raises(StaleLeaseError):
        save_transcript(database, stale, HEARD, 1.0)
    with pytest.raises(StaleLeaseError):
        save_failure(database, stale, failure, 1.0)
    with pytest.raises(StaleLeaseError):
        renew(database, stale, progress_seconds=5, audio_seconds=9, notify_watchers=True)
    run = row(database, stale.run_id)
    assert (run.state, run.attempt, run.owner) == ("running", 2, "another")
    assert run.progress_seconds == 0
    save_transcript(database, fresh, HEARD, 1.0)
    with pytest.raises(StaleLeaseError):
        save_failure(database, fresh, failure, 1.0)
    assert row(database, stale.run_id).state == "succeeded"
    assert events(database, stale.job_id).count("run_succeeded") == 1


def test_a_failure_that_would_come_again_is_final(database: Database) -> None:
    lease = taken(database)
    failure = Failure(kind=FailureKind.BAD_MEDIA, message="no sound")
    assert save_failure(database, lease, failure, 0.1).state is RunState.FAILED
    run = row(database, lease.run_id)
    assert run.failure == {"kind": "bad_media", "message": "no sound"}
    assert events(database, lease.job_id)[-1] == "run_failed"


def test_a_failure_that_may_pass_is_due_again_after_its_delay(database: Database) -> None:
    lease = taken(database)
    rule = RETRY_RULES[FailureKind.OUT_OF_MEMORY]
    failure = Failure(kind=FailureKind.OUT_OF_MEMORY, message="no memory")
    with database.listen(CHANNEL_WORK) as connection:
        assert save_failure(database, lease, failure, 0.1).state is RunState.QUEUED
        (note,) = connection.notifies(timeout=PATIENCE_SECONDS, stop_after=1)
    assert UUID(note.payload) == lease.job_id
    run = row(database, lease.run_id)
    assert (run.state, run.attempt, run.owner, run.finished_at) == ("queued", 1, None, None)
    assert run.due_at is not None
    assert run.started_at is not None
    assert (run.due_at - run.started_at).total_seconds() >= rule.delay_seconds
    assert events(database, lease.job_id)[-1] == "run_retried"


def test_a_cancelled_run_is_no_failure(database: Database) -> None:
    lease = taken(database)
    assert save_failure(database, lease, CancelledError().failure, 0.1).state is RunState.CANCELLED
    run = row(database, lease.run_id)
    assert (run.state, run.failure) == ("cancelled", None)


def test_the_heartbeat_outlives_the_lease_and_tells_the_progress(database: Database) -> None:
    lease = taken(database, lease_seconds=0.5)
    first = expires_at(database, lease)
    with (
        database.listen(CHANNEL_JOBS) as connection,
        Heartbeat(database, lease, 0.1, Watchdog(LimitSettings(), 10)) as heartbeat,
    ):
        heartbeat.has_decoded(60.0)
        heartbeat.has_heard(12.5)
        assert list(connection.notifies(timeout=PATIENCE_SECONDS, stop_after=1))
        run = row(database, lease.run_id)
        assert (run.audio_seconds, run.progress_seconds) == (60.0, 12.5)
        until(lambda: expires_at(database, lease) > first + timedelta(seconds=lease.seconds))
        heartbeat.check()
    save_transcript(database, lease, HEARD, 1.0)


def expires_at(database: Database, lease: Lease) -> datetime:
    """Return when the lease ends, if it is not renewed."""
    moment = row(database, lease.run_id).lease_expires_at
    assert moment is not None
    return moment


def test_the_heartbeat_notices_a_cancelled_job(database: Database) -> None:
    lease = taken(database)
    change_job(database, lease.job_id, cancel_requested_at=func.now())
    with Heartbeat(database, lease, 0.05, Watchdog(LimitSettings(), 10)) as heartbeat:
        until(lambda: stopped_by(heartbeat) is CancelledError)


def test_the_heartbeat_notices_that_the_run_is_anothers(database: Database) -> None:
    lease = taken(database)
    taken_over(database, lease)
    with Heartbeat(database, lease, 0.05, Watchdog(LimitSettings(), 10)) as heartbeat:
        until(lambda: stopped_by(heartbeat) is StaleLeaseError)


def stopped_by(heartbeat: Heartbeat) -> type[Exception] | None:
    """Return the kind of error by which the heartbeat stops the work, None while it is wanted."""
    try:
        heartbeat.check()
    except (CancelledError, StaleLeaseError) as error:
        return type(error)
    return None
