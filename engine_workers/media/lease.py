"""Takes a recording's preparation for this worker, writes what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select, update

from engine_workers.claim import after
from engine_workers.errors import NotClaimableError, StaleLeaseError
from schemas.audio import AudioRef
from schemas.media import MediaState, media_note
from schemas.media_table import Medium
from schemas.names import CHANNEL_WORK
from schemas.retries import MAX_ATTEMPTS, retry_delay

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from schemas.audio import Prepared
    from schemas.database import Database
    from schemas.runs import Failure

QUEUED, RUNNING = MediaState.QUEUED.value, MediaState.RUNNING.value
READY, FAILED = MediaState.READY.value, MediaState.FAILED.value


@dataclass(frozen=True)
class MediaLease:
    """The right to prepare one recording, for as long as it is renewed."""

    audio: AudioRef
    #: The fencing token: only what carries the row's own number is written.
    attempt: int
    #: How many of the attempts count against the recording, this one included.
    counted: int
    owner: str
    #: How long the lease lasts without being renewed.
    seconds: float


def claim(database: Database, sha256: str, owner: str, lease_seconds: float) -> MediaLease:
    """Take the preparation of a recording.

    Raises:
        NotClaimableError: it is done, has failed, or another worker is at it.
        LedgerError: the database does not answer.
    """
    abandoned = and_(Medium.state == RUNNING, Medium.lease_expires_at < func.now())
    with database.transaction() as session:
        taken = session.execute(
            update(Medium)
            .where(
                Medium.sha256 == sha256,
                or_(Medium.state == QUEUED, abandoned),
                Medium.attempt - Medium.forgiven < MAX_ATTEMPTS,
            )
            .values(
                state=RUNNING,
                owner=owner,
                attempt=Medium.attempt + 1,
                lease_expires_at=after(lease_seconds),
                due_at=None,
                done_seconds=0.0,
                started_at=func.now(),
                failure=None,
            )
            .returning(Medium.audio, Medium.attempt, Medium.forgiven)
            .execution_options(synchronize_session=False)
        ).one_or_none()
    if taken is None:
        message = "it is prepared, or another worker is at it"
        raise NotClaimableError(message)
    audio = AudioRef.model_validate(taken.audio)
    return MediaLease(audio, taken.attempt, taken.attempt - taken.forgiven, owner, lease_seconds)


def renew(
    database: Database, lease: MediaLease, *, done_seconds: float, seconds: float | None
) -> None:
    """Make the lease last from now on, store how far it has come.

    Raises:
        StaleLeaseError: another worker has it by now.
        LedgerError: the database does not answer.
    """
    expires = after(lease.seconds)
    _write(database, lease, lease_expires_at=expires, done_seconds=done_seconds, seconds=seconds)


def save(database: Database, lease: MediaLease, prepared: Prepared) -> None:
    """Store what was found out; the jobs that wait for it go on.

    Raises:
        StaleLeaseError: another worker has it by now.
        LedgerError: the database does not answer.
    """
    ended = {
        "state": READY,
        "prepared": prepared.model_dump(mode="json"),
        "seconds": prepared.info.seconds,
        "done_seconds": prepared.info.seconds,
        "finished_at": func.now(),
    }
    _write(database, lease, released=True, **ended)


def fail(database: Database, lease: MediaLease, failure: Failure) -> MediaState:
    """Store why it did not succeed: it is due again after a while, or its jobs fail.

    Raises:
        StaleLeaseError: another worker has it by now.
        LedgerError: the database does not answer.
    """
    told = failure.model_dump(mode="json")
    again = retry_delay(failure.kind, lease.counted)
    if again is None:
        values = {"state": FAILED, "failure": told, "finished_at": func.now()}
        _write(database, lease, released=True, **values)
        return MediaState.FAILED
    _write(database, lease, released=True, state=QUEUED, failure=told, due_at=after(again))
    return MediaState.QUEUED


def give_back(database: Database, lease: MediaLease) -> None:
    """Make it due again at once: the attempt was cut off from outside, and does not count.

    Raises:
        StaleLeaseError: another worker has it by now.
        LedgerError: the database does not answer.
    """
    forgiven = {"state": QUEUED, "due_at": func.now(), "forgiven": Medium.forgiven + 1}
    _write(database, lease, released=True, **forgiven)


def lose(database: Database, sha256: str, worker: str, failure: Failure) -> None:
    """End the attempt of a child of `worker` that died, if it was at this recording.

    Raises:
        LedgerError: the database does not answer.
    """
    with database.reading() as session:
        found = session.execute(
            select(Medium.audio, Medium.attempt, Medium.forgiven, Medium.owner).where(
                Medium.sha256 == sha256,
                Medium.state == RUNNING,
                Medium.owner.startswith(f"{worker}:", autoescape=True),
            )
        ).one_or_none()
    if found is None:
        return
    audio, counted = AudioRef.model_validate(found.audio), found.attempt - found.forgiven
    fail(database, MediaLease(audio, found.attempt, counted, found.owner, 0.0), failure)


def _held(lease: MediaLease) -> ColumnElement[bool]:
    return and_(
        Medium.sha256 == lease.audio.sha256,
        Medium.attempt == lease.attempt,
        Medium.state == RUNNING,
    )


def _write(
    database: Database, lease: MediaLease, *, released: bool = False, **values: object
) -> None:
    """Write on the row whose lease is held; wake the coordinators when it is released."""
    free = {"owner": None, "lease_expires_at": None} if released else {}
    with database.transaction() as session:
        written = session.execute(
            update(Medium)
            .where(_held(lease))
            .values(**free, **values)
            .returning(Medium.sha256)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if written is None:
            raise StaleLeaseError
        if released:
            note = media_note(lease.audio.sha256)
            session.execute(select(func.pg_notify(CHANNEL_WORK, note)))
