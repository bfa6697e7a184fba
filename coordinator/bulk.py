"""Accepts many jobs at a time: all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import Text, cast, func, insert, select

from coordinator.earlier import find_earlier, write_earlier
from coordinator.errors import BadRequestError
from coordinator.placing import insert_runs, schedule_columns
from coordinator.preparing import plans_of
from coordinator.submit import RULES, USUAL, fingerprint
from schemas.jobs import JobState
from schemas.names import CHANNEL_JOBS, CHANNEL_WORK
from schemas.tables import Job, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from schemas.audio import AudioRef
    from schemas.jobs import JobRequest
    from schemas.scheduling import Schedule
    from schemas.settings import MediaSettings, SchedulingSettings

#: The most jobs that are accepted in one transaction.
MAX_JOBS = 100_000


def accept_many(  # noqa: PLR0913  # each is a keyword with a default
    session: Session,
    request: JobRequest,
    recordings: Sequence[AudioRef],
    *,
    batch_id: UUID | None = None,
    schedule: Schedule = USUAL,
    rules: SchedulingSettings = RULES,
    media: MediaSettings | None = None,
) -> tuple[UUID, ...]:
    """Write down one job for each recording; they are accepted together when the session commits.

    A deadline that cannot be kept is marked by the next sweep. The arguments are those of `accept`.

    Raises:
        BadRequestError: there are more than 100,000, or the schedule cannot be kept.
        BatchNotFoundError: there is no such batch.
        BatchSealedError: other jobs come after the batch.
        QuotaError: the owner may not have that priority.
    """
    if len(recordings) > MAX_JOBS:
        message = f"{len(recordings):,} jobs at a time; at most {MAX_JOBS:,} are accepted together"
        raise BadRequestError(message)
    if not recordings:
        return ()
    earlier = find_earlier(session, schedule, batch_id, len(recordings))
    same = {
        "state": JobState.QUEUED.value,
        "request": request.model_dump(mode="json"),
        **earlier.columns(),
        **schedule_columns(session, schedule),
    }
    plans = None if media is None else plans_of(session, recordings, media)
    rows: list[dict[str, Any]] = [
        {
            **same,
            "id": uuid4(),
            "preparing": plans is not None and audio.sha256 not in plans,
            "fingerprint": fingerprint(request, audio),
            "audio": audio.model_dump(mode="json"),
        }
        for audio in recordings
    ]
    session.execute(insert(Job).returning(Job.id), rows)
    insert_runs(
        session,
        [(row, request.engines, audio) for row, audio in zip(rows, recordings, strict=True)],
        rules,
        plans,
    )
    write_earlier(session, [row["id"] for row in rows], earlier)
    _tell(session, rows, request)
    return tuple(row["id"] for row in rows)


def _tell(session: Session, rows: Sequence[dict[str, Any]], request: JobRequest) -> None:
    """Begin each job's story; wake the coordinators once."""
    events = [
        {
            "job_id": row["id"],
            "kind": "job_submitted",
            "data": {"engines": list(request.engines), "name": row["audio"]["name"]},
        }
        for row in rows
    ]
    told = func.pg_notify(CHANNEL_JOBS, cast(StoredEvent.job_id, Text)).label("told")
    session.execute(insert(StoredEvent).returning(told), events)
    session.execute(select(func.pg_notify(CHANNEL_WORK, "")))
