"""One worker at a time works on a run, three times at most, and never on one that is not wanted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func

from engine_workers.claim import Lease, claim
from engine_workers.errors import NotClaimableError
from schemas.audio import AudioRef
from schemas.retries import MAX_ATTEMPTS
from schemas.runs import FailureKind, RunMessage, RunOutcome, RunState
from tests.integration.engine_rows import (
    add_run,
    change_job,
    change_run,
    events,
    expire_lease,
    row,
)

if TYPE_CHECKING:
    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
LEASE_SECONDS = 30.0


def take(database: Database, message: RunMessage, owner: str = "me") -> Lease | RunOutcome:
    """Claim the run for half a minute."""
    return claim(database, message, owner, LEASE_SECONDS)


def test_a_queued_run_is_taken(database: Database) -> None:
    message = add_run(database, AUDIO, text="hm")
    lease = take(database, message)
    assert isinstance(lease, Lease)
    assert (lease.attempt, lease.engine, lease.owner, lease.audio) == (1, "fake", "me", AUDIO)
    assert lease.request.options == {"fake": {"text": "hm"}}
    run = row(database, message.run_id)
    assert (run.state, run.owner, run.attempt) == ("running", "me", 1)
    assert run.lease_expires_at is not None
    assert run.started_at is not None
    lasts = (run.lease_expires_at - run.started_at).total_seconds()
    assert lasts == pytest.approx(LEASE_SECONDS)
    assert events(database, message.job_id) == ["run_started"]


def test_of_many_claimers_one_wins(database: Database) -> None:
    message = add_run(database, AUDIO)

    def attempt(number: int) -> bool:
        try:
            return isinstance(take(database, message, f"worker {number}"), Lease)
        except NotClaimableError:
            return False

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(16)))
    assert sum(won) == 1
    run = row(database, message.run_id)
    assert (run.attempt, run.owner) == (1, f"worker {won.index(True)}")


def test_a_live_lease_is_left_alone_and_a_dead_one_taken_over(database: Database) -> None:
    message = add_run(database, AUDIO)
    take(database, message, "the first")
    with pytest.raises(NotClaimableError, match="the first is at work"):
        take(database, message, "the second")
    expire_lease(database, message.run_id)
    lease = take(database, message, "the second")
    assert isinstance(lease, Lease)
    assert (lease.attempt, row(database, message.run_id).owner) == (2, "the second")


def test_the_last_attempt_is_the_last(database: Database) -> None:
    message = add_run(database, AUDIO)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        lease = take(database, message)
        assert isinstance(lease, Lease)
        assert lease.attempt == attempt
        expire_lease(database, message.run_id)
    outcome = take(database, message)
    assert outcome == RunOutcome(run_id=message.run_id, state=RunState.FAILED)
    run = row(database, message.run_id)
    assert run.failure is not None
    assert run.failure["kind"] == FailureKind.WORKER_LOST
    assert run.finished_at is not None
    assert events(database, message.job_id)[-1] == "run_failed"


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_a_run_that_has_ended_is_answered_with_its_outcome(database: Database, state: str) -> None:
    message = add_run(database, AUDIO)
    change_run(database, message.run_id, state=state)
    assert take(database, message) == RunOutcome(run_id=message.run_id, state=RunState(state))
    assert events(database, message.job_id) == []


def test_a_run_of_a_cancelled_job_is_cancelled(database: Database) -> None:
    message = add_run(database, AUDIO)
    change_job(database, message.job_id, cancel_requested_at=func.now())
    assert take(database, message) == RunOutcome(run_id=message.run_id, state=RunState.CANCELLED)
    assert row(database, message.run_id).state == "cancelled"
    assert events(database, message.job_id) == ["run_cancelled"]


def test_a_run_of_a_paused_job_is_given_back(database: Database) -> None:
    message = add_run(database, AUDIO)
    change_job(database, message.job_id, paused_at=func.now())
    assert take(database, message) == RunOutcome(run_id=message.run_id, state=RunState.QUEUED)
    run = row(database, message.run_id)
    assert (run.state, run.attempt, run.due_at is None) == ("queued", 0, False)
    change_job(database, message.job_id, paused_at=None)
    assert isinstance(take(database, message), Lease)
    assert row(database, message.run_id).due_at is None


def test_a_job_that_was_not_admitted_is_not_begun(database: Database) -> None:
    message = add_run(database, AUDIO, job_state="queued")
    with pytest.raises(NotClaimableError, match="its job is queued"):
        take(database, message)
    assert row(database, message.run_id).attempt == 0


def test_a_message_that_fits_no_row_changes_none(database: Database) -> None:
    one, other = add_run(database, AUDIO), add_run(database, AUDIO)
    with pytest.raises(NotClaimableError, match="there is no run"):
        take(database, RunMessage(run_id=one.run_id, job_id=other.job_id))
    assert row(database, one.run_id).state == "queued"
