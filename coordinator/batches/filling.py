"""Submits to a batch what it does not have yet, some recordings at a time."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from coordinator.batches.wanted import label_of, mark_of, reference_of
from coordinator.bulk import accept_many
from coordinator.sources.shown import shown
from coordinator.staging import stage
from schemas.batch_tables import BatchItem
from schemas.errors import UsageError
from schemas.media_store import open_store
from schemas.tables import Batch, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.orm import Session

    from coordinator.batches.wanted import Wanted
    from coordinator.sources.reference import Reference
    from schemas.audio import AudioRef
    from schemas.database import Database
    from schemas.settings import Settings

#: Recordings that are staged, then accepted together; memory is bounded by it.
CHUNK = 200
#: Recordings that are copied side by side: the disk's answer is waited for, not the processor.
COPIERS = 4


@dataclass(slots=True)
class Step:
    """What became of some recordings."""

    #: The new jobs with their sources.
    accepted: list[tuple[UUID, str]] = field(default_factory=list)
    #: How many the batch had already.
    known: int = 0
    #: What was refused, with the reason.
    refused: list[tuple[str, str]] = field(default_factory=list)
    #: The engines that new jobs ask.
    engines: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Item:
    wanted: Wanted
    reference: Reference
    audio: AudioRef


def open_batch(session: Session, key: str, label: str | None) -> tuple[UUID, bool]:
    """Return the batch of a command, and whether it is new."""
    made = session.scalar(
        upsert(Batch)
        .values(id=uuid4(), label=label, key=key)
        .on_conflict_do_nothing(index_elements=[Batch.key])
        .returning(Batch.id)
    )
    if made is not None:
        return made, True
    return session.scalars(select(Batch.id).where(Batch.key == key)).one(), False


def fill(
    database: Database,
    settings: Settings,
    batch_id: UUID,
    wanted: Iterable[Wanted],
    *,
    by_bytes: bool = False,
) -> Iterator[Step]:
    """Stage and submit what the batch does not have; yield what became of each two hundred.

    What a step tells of is accepted for good: whoever is interrupted goes on by filling the batch
    with the same again. Two who do so at the same time submit nothing twice.

    Args:
        database: the ledger.
        settings: where the media are, what may be read.
        batch_id: the batch.
        wanted: what is wanted, in whatever number.
        by_bytes: whether a source that the batch has counts as the same while its bytes are. It
            costs a look at all of the batch for each two hundred.

    Raises:
        StagingError: the media store cannot be written.
        BatchSealedError: other jobs come after the batch.
        QuotaError: the owner may not have that priority.
        LedgerError: the database does not answer.
    """
    with ThreadPoolExecutor(COPIERS, thread_name_prefix="stage") as copiers:
        for chunk in _chunks(wanted):
            step = Step()
            marked = _marked(chunk, settings, step)
            with database.transaction() as session:
                there = _known(session, batch_id, marked)
            step.known = len(there)
            items = _staged(
                copiers,
                {mark: marked[mark] for mark in marked if mark not in there},
                settings,
                step,
            )
            if items:
                with database.transaction() as session:
                    _alone(session, batch_id)
                    if by_bytes:
                        _keep_same(session, batch_id, items)
                    _accept(session, settings, batch_id, items, step)
            yield step


def _chunks(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    more = iter(wanted)
    while chunk := list(itertools.islice(more, CHUNK)):
        yield chunk


def _marked(
    chunk: Iterable[Wanted], settings: Settings, step: Step
) -> dict[str, tuple[Wanted, Reference]]:
    """Return the recordings by their marks; what is named twice counts as known."""
    marked: dict[str, tuple[Wanted, Reference]] = {}
    for wanted in chunk:
        try:
            reference = reference_of(wanted, settings)
            mark = mark_of(wanted, reference)
        except UsageError as error:
            step.refused.append((shown(wanted.source.partition("?")[0]), str(error)))
            continue
        marked.setdefault(mark, (wanted, reference))
    return marked


def _known(session: Session, batch_id: UUID, marks: Iterable[str]) -> set[str]:
    return set(
        session.scalars(
            select(BatchItem.mark).where(
                BatchItem.batch_id == batch_id, BatchItem.mark.in_(list(marks))
            )
        )
    )


def _staged(
    copiers: ThreadPoolExecutor,
    missing: dict[str, tuple[Wanted, Reference]],
    settings: Settings,
    step: Step,
) -> dict[str, _Item]:
    store = open_store(settings)

    def copy(pair: tuple[Wanted, Reference]) -> AudioRef | UsageError:
        try:
            staged = stage(pair[0].source, store, settings.sources)
        except UsageError as error:
            return error
        return staged.heard(pair[0].channels)

    items = {}
    for (mark, pair), found in zip(
        missing.items(), copiers.map(copy, missing.values()), strict=True
    ):
        if isinstance(found, UsageError):
            step.refused.append((label_of(pair[1]), str(found)))
        else:
            items[mark] = _Item(*pair, found)
    return items


def _alone(session: Session, batch_id: UUID) -> None:
    """Let whoever fills the same batch meanwhile wait for our commit."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(batch_id), 0))))


def _keep_same(session: Session, batch_id: UUID, items: dict[str, _Item]) -> None:
    """Mark entries of the batch anew whose sources were touched, their bytes being the same."""
    marks = {label_of(item.reference): mark for mark, item in items.items()}
    rows = session.execute(
        select(BatchItem.mark, BatchItem.source, Job.audio["sha256"].astext.label("sha256"))
        .join(Job, Job.id == BatchItem.job_id)
        .where(BatchItem.batch_id == batch_id, BatchItem.source.in_(marks))
    ).all()
    there = _known(session, batch_id, items)
    for row in rows:
        mark = marks[row.source]
        if row.sha256 == items[mark].audio.sha256 and mark not in there:
            there.add(mark)
            session.execute(
                update(BatchItem)
                .where(BatchItem.batch_id == batch_id, BatchItem.mark == row.mark)
                .values(mark=mark)
                .execution_options(synchronize_session=False)
            )


def _accept(
    session: Session, settings: Settings, batch_id: UUID, items: dict[str, _Item], step: Step
) -> None:
    """Accept jobs for those items that the batch does not have."""
    there = _known(session, batch_id, items)
    step.known += len(there)
    alike: dict[str, list[tuple[str, _Item]]] = {}
    for mark, item in items.items():
        if mark not in there:
            wanted = item.wanted
            asked = wanted.request.model_dump_json() + wanted.schedule.model_dump_json()
            alike.setdefault(asked, []).append((mark, item))
    for group in alike.values():
        jobs = _jobs(session, settings, batch_id, [item for _, item in group])
        rows = [
            _row(batch_id, mark, job, item) for (mark, item), job in zip(group, jobs, strict=True)
        ]
        session.execute(insert(BatchItem), rows)
        step.accepted += [
            (job, label_of(item.reference)) for (_, item), job in zip(group, jobs, strict=True)
        ]
        step.engines.update(group[0][1].wanted.request.engines)


def _jobs(
    session: Session, settings: Settings, batch_id: UUID, items: Sequence[_Item]
) -> tuple[UUID, ...]:
    first = items[0].wanted
    return accept_many(
        session,
        first.request,
        [item.audio for item in items],
        batch_id=batch_id,
        schedule=first.schedule,
        rules=settings.scheduling,
        media=settings.media,
    )


def _row(batch_id: UUID, mark: str, job_id: UUID, item: _Item) -> dict[str, object]:
    return {
        "batch_id": batch_id,
        "mark": mark,
        "job_id": job_id,
        "source": label_of(item.reference),
        "reference": item.wanted.reference,
        "labels": dict(item.wanted.labels),
    }
