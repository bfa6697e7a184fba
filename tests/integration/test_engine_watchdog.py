"""An engine that does not stop when it has to is ended with its process, its run stored."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func

from engine_workers.claim import Lease, claim
from engine_workers.handback import give_back
from engine_workers.heartbeat import Heartbeat
from engine_workers.lost import note_loss
from engine_workers.watchdog import Watchdog
from schemas.audio import AudioRef
from schemas.names import CHANNEL_WORK
from schemas.runs import Failure, FailureKind, RunMessage
from schemas.settings import LimitSettings
from tests.integration.engine_rows import PATIENCE_SECONDS, add_run, change_job, events, row

if TYPE_CHECKING:
    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
LONG = LimitSettings(base_seconds=1000)


@pytest.fixture
def lease(database: Database) -> Lease:
    """Return a lease on the run of a running job."""
    taken = claim(database, add_run(database, AUDIO), "fake@here:1", 20.0)
    assert isinstance(taken, Lease)
    return taken


def hang(database: Database, lease: Lease, watchdog: Watchdog) -> None:
    """Let an engine be deaf until its process would be killed."""
    killed = threading.Event()
    with (
        database.listen(CHANNEL_WORK) as connection,
        Heartbeat(database, lease, 0.05, watchdog, killed.set),
    ):
        assert killed.wait(PATIENCE_SECONDS)
        told = [n.payload for n in connection.notifies(timeout=PATIENCE_SECONDS, stop_after=1)]
    assert told == [str(lease.job_id)]


def test_a_cancelled_engine_that_goes_on_is_killed_after_its_grace(
    database: Database, lease: Lease
) -> None:
    change_job(database, lease.job_id, cancel_requested_at=func.now())
    hang(database, lease, Watchdog(LONG, grace_seconds=0.2))
    run = row(database, lease.run_id)
    assert (run.state, run.failure, run.owner) == ("cancelled", None, None)


def test_an_engine_past_its_time_limit_is_killed_after_its_grace(
    database: Database, lease: Lease
) -> None:
    hang(database, lease, Watchdog(LimitSettings(base_seconds=0.1), grace_seconds=0.2))
    run = row(database, lease.run_id)
    assert run.state == "failed"
    assert run.failure is not None
    assert run.failure["kind"] == "timeout"
    assert "run_failed" in events(database, lease.job_id)


def test_the_time_limit_grows_with_the_recording() -> None:
    limits = LimitSettings(base_seconds=0.000001, per_audio_second=10)
    short, long = Watchdog(limits, 10), Watchdog(limits, 10)
    long.has_decoded(3600.0)
    for watchdog in (short, long):
        watchdog.look()
    assert short.reason is not None
    assert long.reason is None


def test_a_worker_that_shuts_down_gives_its_runs_back_unblamed(
    database: Database, lease: Lease
) -> None:
    assert give_back(database, "fake@elsewhere") == []
    assert give_back(database, "fake@here") == [lease.job_id]
    run = row(database, lease.run_id)
    assert (run.state, run.owner, run.attempt, run.forgiven) == ("queued", None, 1, 1)
    assert run.due_at is not None
    assert "run_handed_back" in events(database, lease.job_id)


LOST = Failure(kind=FailureKind.WORKER_LOST, message="its process died")


def test_a_dead_child_gives_its_run_up_at_once(database: Database, lease: Lease) -> None:
    message = RunMessage(run_id=lease.run_id, job_id=lease.job_id)
    assert not note_loss(database, message, "fake@elsewhere", LOST)
    assert row(database, lease.run_id).state == "running"
    assert note_loss(database, message, "fake@here", LOST)
    run = row(database, lease.run_id)
    assert (run.state, run.owner, run.attempt, run.forgiven) == ("queued", None, 1, 0)
    assert not note_loss(database, message, "fake@here", LOST)
    assert events(database, lease.job_id) == ["run_started", "run_retried"]


def test_a_child_that_died_while_its_job_was_cancelled_was_cancelled(
    database: Database, lease: Lease
) -> None:
    change_job(database, lease.job_id, cancel_requested_at=func.now())
    message = RunMessage(run_id=lease.run_id, job_id=lease.job_id)
    assert note_loss(database, message, "fake@here", LOST)
    run = row(database, lease.run_id)
    assert (run.state, run.failure) == ("cancelled", None)


def test_a_cancelled_run_is_not_given_back_but_ended(database: Database, lease: Lease) -> None:
    change_job(database, lease.job_id, cancel_requested_at=func.now())
    give_back(database, "fake@here")
    assert row(database, lease.run_id).state == "cancelled"
