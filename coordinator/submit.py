"""Accepts a job: from the moment its row is committed, nothing loses it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from coordinator.deadlines import keep_deadlines
from coordinator.earlier import find_earlier, write_earlier
from coordinator.errors import BadRequestError, BatchSealedError, IdempotencyConflictError
from coordinator.placing import insert_runs, schedule_columns
from coordinator.preparing import plans_of
from schemas.database import record_new
from schemas.jobs import MAX_KEY_CHARACTERS, JobRequest, JobState
from schemas.scheduling import Schedule
from schemas.settings import SchedulingSettings
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from schemas.audio import AudioRef, ChunkPlan
    from schemas.settings import MediaSettings

#: The schedule of a job that asks for nothing special.
USUAL = Schedule()
#: The rules of an installation that has none of its own.
RULES = SchedulingSettings()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job that answers a submission."""

    job_id: UUID
    #: False when an earlier, equal submission's job answers.
    created: bool


def job_request(
    engines: Sequence[str],
    language: str | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
    *,
    require_all: bool = False,
    use_cache: bool = True,
) -> JobRequest:
    """Check a request.

    Raises:
        BadRequestError: a part of it is wrong; the message names the part.
    """
    try:
        request = JobRequest.model_validate(
            {
                "engines": tuple(engines),
                "language": language,
                "options": options or {},
                "require_all": require_all,
                "use_cache": use_cache,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        given = repr(first["input"])[:80]
        message = f"the request's {where} is wrong: {first['msg']} (given: {given})"
        raise BadRequestError(message) from None
    strange = sorted(set(request.options) - set(request.engines))
    if strange:
        message = f"options are given for {', '.join(strange)}, which the job does not ask"
        raise BadRequestError(message)
    return request


def fingerprint(request: JobRequest, audio: AudioRef) -> str:
    """Return the SHA-256 of what is asked: equal for equal questions about equal bytes."""
    question = {"request": request.model_dump(mode="json"), "audio": audio.sha256}
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def accept(  # noqa: PLR0913  # each is a keyword with a default
    session: Session,
    request: JobRequest,
    audio: AudioRef,
    *,
    idempotency_key: str | None = None,
    join_open: bool = False,
    batch_id: UUID | None = None,
    schedule: Schedule = USUAL,
    rules: SchedulingSettings = RULES,
    media: MediaSettings | None = None,
) -> Accepted:
    """Write the job down, or find the one that is there already.

    Args:
        session: an open transaction; the job is accepted when it commits.
        request: what is asked.
        audio: the staged recording.
        idempotency_key: the same key gives the same job, however often it is submitted.
        join_open: answer with an unfinished job that asks the same of the same bytes, if any.
        batch_id: the batch that a new job belongs to; a job of a paused batch is paused.
        schedule: how urgent a new job is, whose it is, what it comes after.
        rules: they have the targets of the priorities.
        media: how recordings are prepared and cut; None: the whole recording is given to each
            engine as it is, and its worker prepares it.

    Raises:
        BadRequestError: the key is empty, too long or holds control characters; or the schedule
            cannot be kept: its deadline has passed, or it comes after what is not there.
        QuotaError: the owner may not have that priority.
        BatchNotFoundError: there is no such batch.
        BatchSealedError: other jobs come after the batch.
        IdempotencyConflictError: the key was used for another request; it says what differs.
    """
    if idempotency_key is not None:
        _check_key(idempotency_key)
    mark = fingerprint(request, audio)
    if join_open:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(mark, 0))))
        found = session.scalar(
            select(Job.id).where(
                Job.fingerprint == mark,
                Job.finished_at.is_(None),
                Job.cancel_requested_at.is_(None),
            )
        )
        if found is not None:
            return Accepted(found, created=False)
    try:
        earlier = find_earlier(session, schedule, batch_id)
    except BatchSealedError:
        job = _of_key(session, idempotency_key)
        if job is None:
            raise
        return _answer(job, request, audio, mark)  # accepted before the batch was sealed
    plans = None if media is None else plans_of(session, [audio], media)
    row = {
        "id": uuid4(),
        "preparing": plans is not None and audio.sha256 not in plans,
        "state": JobState.QUEUED.value,
        "request": request.model_dump(mode="json"),
        "fingerprint": mark,
        "idempotency_key": idempotency_key,
        "audio": audio.model_dump(mode="json"),
        **earlier.columns(),
        **schedule_columns(session, schedule),
    }
    accepted = _insert(session, (request, audio), row, rules, plans)
    if accepted.created:
        write_earlier(session, [accepted.job_id], earlier)
        if schedule.deadline is not None:
            keep_deadlines(session, rules, only=accepted.job_id)
    return accepted


def _insert(
    session: Session,
    asked: tuple[JobRequest, AudioRef],
    row: dict[str, Any],
    rules: SchedulingSettings,
    plans: Mapping[str, ChunkPlan] | None,
) -> Accepted:
    request, audio = asked
    job_id = session.scalar(
        upsert(Job)
        .values(**row)
        .on_conflict_do_nothing(index_elements=[Job.idempotency_key])
        .returning(Job.id)
    )
    if job_id is None:
        job = session.scalars(
            select(Job).where(Job.idempotency_key == row["idempotency_key"])
        ).one()
        return _answer(job, request, audio, row["fingerprint"])
    insert_runs(session, [({**row, "id": job_id}, request.engines, audio)], rules, plans)
    record_new(session, job_id, "job_submitted", engines=list(request.engines), name=audio.name)
    return Accepted(job_id, created=True)


def _of_key(session: Session, key: str | None) -> Job | None:
    if key is None:
        return None
    return session.scalars(select(Job).where(Job.idempotency_key == key)).one_or_none()


def _answer(job: Job, request: JobRequest, audio: AudioRef, mark: str) -> Accepted:
    """Let the job of the same idempotency key answer, if it asks the same."""
    if job.fingerprint == mark:
        return Accepted(job.id, created=False)
    now = {**request.model_dump(mode="json"), "audio": audio.sha256}
    then = {**job.request, "audio": job.audio["sha256"]}
    differs = "; ".join(
        f"{name} was {then.get(name)!r}, is now {now.get(name)!r}"
        for name in sorted(now)
        if now.get(name) != then.get(name)
    )
    message = (
        f"the idempotency key {job.idempotency_key!r} belongs to job {job.id}, "
        f"which asks otherwise: {differs}"
    )
    raise IdempotencyConflictError(message)


def _check_key(key: str) -> None:
    if not key or len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
        message = (
            f"an idempotency key has 1 to {MAX_KEY_CHARACTERS} printable characters; "
            f"this one has {len(key)} or holds others"
        )
        raise BadRequestError(message)
