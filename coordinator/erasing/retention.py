"""Erases what the retention's rules let go."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, false, func, or_, select, text
from sqlalchemy.orm import aliased

from coordinator.erasing.media import (
    Files,
    drop_media,
    files_of,
    is_fresh,
    remove_again,
    remove_files,
    whole,
)
from coordinator.erasing.traces import erase_traces
from schemas.batch_tables import BatchItem
from schemas.media_store import open_store
from schemas.retention import Purged, Trace
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from schemas.database import Database
    from schemas.retention import RetentionRule
    from schemas.settings import Settings

#: Jobs that one transaction looks after.
TOGETHER = 500
#: Seconds for which a recording stays that was just put into the store: who submits copies it
#: before there is a job.
FRESH_SECONDS = 3600.0
SECONDS_PER_DAY = 86_400.0
#: What `schemas.audio.apart_of` adds to a recording's name.
APART = text("' by channel'")


@dataclass
class _Counted:
    """What a rule has erased so far."""

    jobs: int = 0
    recordings: set[str] = field(default_factory=set)
    files: Files = field(default_factory=Files)


class Retention:
    """Purges now and then, whoever asks how often."""

    def __init__(self) -> None:
        """Purge at the first call."""
        self._next = 0.0

    def look(self, database: Database, settings: Settings) -> int:
        """Purge if it is time to; return of how many jobs something was erased.

        Raises:
            LedgerError: the database does not answer.
            ErasingError: a file cannot be removed.
        """
        if time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + settings.retention.every_seconds
        with database.reading() as session:
            remove_again(session, open_store(settings))
        return sum(purged.jobs for purged in purge(database, settings))


def purge(database: Database, settings: Settings, *, dry: bool = False) -> tuple[Purged, ...]:
    """Erase what the rules let go, or only count it.

    A recording's media go once every job that heard it may lose them by some rule: not while one
    is unfinished, or somebody else's. Each rule is followed some hundred jobs at a time, in
    transactions of their own.

    Raises:
        LedgerError: the database does not answer.
        ErasingError: a file cannot be removed; the next purge tries again.
    """
    rules = settings.retention.rules
    return tuple(
        _follow(database, settings, number, rule, dry=dry) for number, rule in enumerate(rules, 1)
    )


def _follow(
    database: Database, settings: Settings, number: int, rule: RetentionRule, *, dry: bool
) -> Purged:
    counted, store = _Counted(), open_store(settings)
    for jobs in _jobs(database, rule):
        gone = _free_recordings(database, settings, jobs) if Trace.MEDIA in rule.erase else set()
        others = [trace for trace in rule.erase if trace is not Trace.MEDIA]
        fresh = [job for job, _, erased in jobs if not set(others) <= set(erased)]
        names = whole(gone)
        touched = {job for job, sha256, _ in jobs if sha256 in names} | set(fresh)
        counted.jobs += len(touched)
        gone -= counted.recordings
        counted.recordings |= gone
        names = whole(gone)
        if dry:
            for _, size in files_of(names, store):
                counted.files.add(size)
            continue
        with database.transaction() as session:
            erase_traces(session, fresh, others)
            drop_media(session, names, "retention", [Trace.MEDIA])
        removed = remove_files(names, store)
        counted.files.count += removed.count
        counted.files.bytes += removed.bytes
    return Purged(
        rule=number,
        erase=rule.erase,
        jobs=counted.jobs,
        recordings=len(counted.recordings),
        files=counted.files.count,
        bytes=counted.files.bytes,
    )


def _jobs(
    database: Database, rule: RetentionRule
) -> Iterator[Sequence[tuple[UUID, str, list[str]]]]:
    """Yield the jobs that a rule is about and that have something left of what it erases."""
    last: UUID | None = None
    wanted = [trace.value for trace in rule.erase]
    while True:
        query = select(Job.id, _sha256(Job), Job.erased).where(
            _matches(rule, Job), ~Job.erased.contains(wanted)
        )
        if last is not None:
            query = query.where(Job.id > last)
        with database.reading() as session:
            found = session.execute(query.order_by(Job.id).limit(TOGETHER)).all()
            rows = [(row[0], row[1], row[2]) for row in found]
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _free_recordings(
    database: Database, settings: Settings, jobs: Sequence[tuple[UUID, str, list[str]]]
) -> set[str]:
    """Return the jobs' recordings whose media nobody needs any more, channels apart or not."""
    rules = [rule for rule in settings.retention.rules if Trace.MEDIA in rule.erase]
    asked = [job for job, _, erased in jobs if Trace.MEDIA not in erased]
    mine, other = aliased(Job), aliased(Job)
    may_go = func.coalesce(or_(*(_matches(rule, other) for rule in rules)), false())
    source = func.coalesce(mine.audio.op("->>")(text("'split_of'")), _sha256(mine))
    apart = func.encode(func.sha256(func.convert_to(source.op("||")(APART), "UTF8")), "hex")
    same = or_(_sha256(other) == source, _sha256(other) == apart)
    needed = exists().where(same, ~may_go)
    query = select(source).where(mine.id.in_(asked), ~needed).distinct()
    with database.reading() as session:
        found = session.scalars(query).all()
    store = open_store(settings)
    return {sha256 for sha256 in found if not is_fresh(sha256, store, FRESH_SECONDS)}


def _matches(rule: RetentionRule, job: Any) -> ColumnElement[bool]:  # noqa: ANN401  # or its alias
    """Return whether a rule is about a job."""
    age = func.make_interval(0, 0, 0, 0, 0, 0, rule.after_days * SECONDS_PER_DAY)
    conditions: list[ColumnElement[bool]] = [job.finished_at <= func.now() - age]
    if rule.states:
        conditions.append(job.state.in_(rule.states))
    if rule.owners:
        conditions.append(job.owner.in_(rule.owners))
    if rule.labels:
        labelled = BatchItem.labels.contains(rule.labels)
        conditions.append(exists().where(BatchItem.job_id == job.id, labelled))
    return and_(*conditions)


def _sha256(job: Any) -> ColumnElement[str]:  # noqa: ANN401  # likewise
    """Return a job's recording as the index has it."""
    found: ColumnElement[str] = job.audio.op("->>")(text("'sha256'"))
    return found
