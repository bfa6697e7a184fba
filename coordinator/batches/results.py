"""Reads the reports of a batch, one after another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import select

from coordinator.ledger import read_report
from schemas.batch_tables import BatchItem
from schemas.jobs import JobState
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from schemas.database import Database
    from schemas.report import Report


@dataclass(frozen=True, slots=True)
class Result:
    """One recording's report."""

    job_id: UUID
    #: A name for its file, without an end: no two of a batch have the same.
    stem: str
    report: Report


def read_results(database: Database, batch_id: UUID) -> Iterator[Result]:
    """Yield the reports of the batch's completed jobs, in order of their sources.

    Whoever exports the same batch twice, or its copy in another installation, gets the same names:
    they follow from the sources, numbered where two are called alike.
    """
    with database.reading() as session:
        jobs = session.execute(
            select(Job.id, Job.audio["name"].astext, BatchItem.source, Job.audio["sha256"].astext)
            .outerjoin(BatchItem, BatchItem.job_id == Job.id)
            .where(
                Job.batch_id == batch_id,
                Job.state == JobState.COMPLETED.value,
                Job.replaced_by.is_(None),
            )
            .order_by(BatchItem.source, Job.audio["sha256"].astext, Job.created_at, Job.id)
        ).all()
    used: dict[str, int] = {}
    for job_id, name, source, _ in jobs:
        stem = PurePosixPath(source or name).stem.replace("/", "_").lstrip(".") or "recording"
        used[stem] = used.get(stem, 0) + 1
        number = f"-{used[stem]}" if used[stem] > 1 else ""
        with database.reading() as session:
            report = read_report(session, job_id)
        if report is not None:
            yield Result(job_id, f"{stem}{number}", report)
