"""Reads what was done page by page, each page as quickly as the first."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import and_, func, select, text, tuple_

from coordinator.asking import UNITS
from coordinator.errors import BadRequestError
from schemas.history import MAX_PAGE, HistoryEntry, HistoryFilter, HistoryPage, Passage
from schemas.memory_tables import ReportWords
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, FromClause, Row, Select
    from sqlalchemy.orm import InstrumentedAttribute, Session


#: Chinese and Japanese characters that follow each other: they are looked for as a phrase.
CHARACTERS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
#: Reports that are compared with a search one after another before the index of words is asked.
NEWEST = 2000
#: How jobs are shown that a page has, whatever it was found by. What a job's end told is in its
#: event, so that no report has to be unpacked.
ENTRIES = text("""
SELECT job.id, job.state, job.degraded, job.audio ->> 'name' AS name,
       job.audio ->> 'sha256' AS sha256, job.owner, job.batch_id AS batch,
       job.request -> 'engines' AS engines, job.created_at, job.finished_at,
       medium.seconds AS audio_seconds, (told.data ->> 'words')::int AS words,
       (told.data ->> 'similarity')::float8 AS similarity,
       told.data ->> 'recommended' AS recommended, job.failure ->> 'kind' AS failure, job.erased
FROM jobs AS job
LEFT JOIN media AS medium ON medium.sha256 = job.audio ->> 'sha256'
LEFT JOIN LATERAL (
  SELECT data FROM job_events
  WHERE job_id = job.id AND kind = 'job_completed' ORDER BY id DESC LIMIT 1
) AS told ON true
WHERE job.id = ANY(:jobs)
ORDER BY job.created_at DESC, job.id DESC
""")

#: The first segment of each job that has any of the words.
PASSAGES = text("""
WITH wanted AS (
  SELECT regexp_replace(CAST(search_query(:wanted) AS text), '&|<->|<[0-9]+>', '|', 'g')::tsquery
         AS words
)
SELECT report.job_id, found.start, found.said
FROM wanted, reports AS report, LATERAL (
  SELECT (segment ->> 'start')::float8 AS start, segment ->> 'text' AS said
  FROM jsonb_path_query(report.body, '$.merged.segments[*]') AS segment
  WHERE to_tsvector('simple', searchable(left(segment ->> 'text', 20000))) @@ wanted.words LIMIT 1
) AS found
WHERE report.job_id = ANY(:jobs)
""")


def history_filter(**asked: object) -> HistoryFilter:
    """Check what is wanted.

    Raises:
        BadRequestError: a part of it is wrong; the message names the part.
    """
    try:
        return HistoryFilter.model_validate(asked)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        given = repr(first["input"])[:80]
        message = f"the history's {where} is wrong: {first['msg']} (given: {given})"
        raise BadRequestError(message) from None


def read_past(given: str | None) -> datetime | None:
    """Read `90m`, `7d`, so long ago, or a time such as `2026-11-24` or `2026-11-24T18:00+01:00`.

    A time without a zone is UTC.

    Raises:
        BadRequestError: it is neither.
    """
    if given is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", given.strip())
    try:
        if found:
            return datetime.now(UTC) - timedelta(seconds=float(found[1]) * UNITS[found[2]])
        moment = datetime.fromisoformat(given.strip())
    except (ValueError, OverflowError):
        message = f"'{given[:60]}' is no time: write 90m, 7d, 2026-11-24 or 2026-11-24T18:00+01:00"
        raise BadRequestError(message) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_page(
    session: Session, wanted: HistoryFilter, limit: int = 20, after: str | None = None
) -> HistoryPage:
    """Return the newest of the jobs that are wanted, or the page after an earlier one.

    It begins where that ended, so that jobs which came meanwhile shift nothing.

    Args:
        session: open for reading.
        wanted: which jobs.
        limit: how many at most.
        after: `next` of the page before; None begins with the newest.

    Raises:
        BadRequestError: `limit` is not between 1 and 1,000, or `after` is no page's `next`.
    """
    if not 1 <= limit <= MAX_PAGE:
        message = f"a page has 1 to {MAX_PAGE} jobs, not {limit}"
        raise BadRequestError(message)
    rows = _rows(session, wanted, limit + 1, after)
    page = [row.job for row in rows[:limit]]
    if not page:
        return HistoryPage(entries=())
    passages = _passages(session, page, wanted.text) if wanted.text else {}
    entries = tuple(
        HistoryEntry(**row._asdict(), passage=passages.get(row.id))
        for row in session.execute(ENTRIES, {"jobs": page})
    )
    return HistoryPage(entries=entries, next=_cursor(rows[limit - 1]) if rows[limit:] else None)


def _rows(
    session: Session, wanted: HistoryFilter, limit: int, after: str | None
) -> Sequence[Row[datetime, UUID]]:
    """Return the ids of a page, read along the index that has them in order.

    Of words nobody knows how rare they are. Those of the newest reports are compared in order;
    where they do not fill the page, the index of words tells all reports that have them.
    """
    if not wanted.text:
        return session.execute(_jobs(wanted, limit, after)).all()
    at, job = ReportWords.created_at, ReportWords.job_id
    query = func.search_query(_phrased(wanted.text))
    reports = select(at.label("at"), job.label("job")).where(*_between(wanted, at, job, after))
    newest = (
        reports.add_columns(ReportWords.words.op("@@")(query).label("said"))
        .order_by(at.desc(), job.desc())
        .limit(NEWEST)
        .subquery()
    )
    rows = session.execute(_of_reports(newest, wanted, limit).where(newest.c.said)).all()
    if len(rows) == limit:
        return rows
    said = reports.where(ReportWords.words.op("@@")(query)).cte("said").prefix_with("MATERIALIZED")
    return session.execute(_of_reports(said, wanted, limit)).all()


def _jobs(wanted: HistoryFilter, limit: int, after: str | None) -> Select[datetime, UUID]:
    """Return the query of a page by jobs, or by what an engine was asked."""
    if wanted.engine is None:
        at, job = Job.created_at, Job.id
        query = select(at.label("at"), job.label("job"))
    else:
        at, job = EngineRun.submitted_at, EngineRun.job_id
        query = select(at.label("at"), job.label("job")).join(Job, Job.id == job)
        query = query.where(EngineRun.engine == wanted.engine, EngineRun.chunk == 0)
    query = query.where(*_between(wanted, at, job, after), *_of_jobs(wanted))
    return query.order_by(at.desc(), job.desc()).limit(limit)


def _of_reports(reports: FromClause, wanted: HistoryFilter, limit: int) -> Select[datetime, UUID]:
    """Return the query of a page by reports that were found."""
    at, job = reports.c.at, reports.c.job
    query = select(at, job).join(Job, Job.id == job).where(*_of_jobs(wanted))
    if wanted.engine is not None:
        asked = and_(EngineRun.engine == wanted.engine, EngineRun.chunk == 0)
        query = query.join(EngineRun, and_(EngineRun.job_id == job, asked))
    return query.order_by(at.desc(), job.desc()).limit(limit)


def _of_jobs(wanted: HistoryFilter) -> list[ColumnElement[bool]]:
    """Return what is wanted of a job itself."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.states:
        conditions.append(Job.state.in_([state.value for state in wanted.states]))
    if wanted.owner is not None:
        conditions.append(Job.owner == wanted.owner)
    if wanted.batch is not None:
        conditions.append(Job.batch_id == wanted.batch)
    return conditions


def _between(
    wanted: HistoryFilter,
    at: InstrumentedAttribute[datetime],
    job: InstrumentedAttribute[UUID],
    after: str | None,
) -> list[ColumnElement[bool]]:
    """Return from when to when; a page begins after the one before."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(at >= wanted.since)
    if wanted.until is not None:
        conditions.append(at < wanted.until)
    if after is not None:
        conditions.append(tuple_(at, job) < tuple_(*_read_cursor(after)))
    return conditions


def _phrased(wanted: str) -> str:
    """Return the text as the database searches for it: neighbouring characters are a phrase."""
    plain = wanted.replace("\0", " ")
    return plain if '"' in plain else CHARACTERS.sub(r'"\g<0>"', plain)


def _passages(session: Session, jobs: list[UUID], wanted: str) -> dict[UUID, Passage]:
    rows = session.execute(PASSAGES, {"jobs": jobs, "wanted": _phrased(wanted)})
    return {row.job_id: Passage(start=row.start, text=row.said) for row in rows}


def _cursor(row: Row[datetime, UUID]) -> str:
    """Return what stands for a place in the order."""
    return base64.urlsafe_b64encode(f"{row.at.isoformat()} {row.job.hex}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        at, _, job = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        return datetime.fromisoformat(at), UUID(job)
    except (ValueError, binascii.Error):
        message = f"'{cursor[:60]}' is no page of a history: take the `next` of the page before"
        raise BadRequestError(message) from None
