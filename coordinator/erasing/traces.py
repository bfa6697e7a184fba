"""Erases what jobs left in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from schemas.retention import Trace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy.orm import Session

#: A transcript that is erased answers nobody any more.
TRANSCRIPTS = text("""
UPDATE engine_runs SET transcript = NULL, question = NULL, heard_by = NULL, digest = NULL
WHERE job_id = ANY(:jobs) AND (transcript IS NOT NULL OR question IS NOT NULL)
""")

#: The words to be searched go with them.
REPORTS = text("DELETE FROM reports WHERE job_id = ANY(:jobs)")

#: What teaches the engines' accuracy stays: numbers alone.
EVENTS = text("""
DELETE FROM job_events WHERE job_id = ANY(:jobs) AND NOT jsonb_exists(data, 'record')
""")

MARK = text("""
UPDATE jobs SET erased = (
  SELECT array_agg(DISTINCT trace ORDER BY trace)
  FROM unnest(erased || CAST(:traces AS text[])) AS trace
) WHERE id = ANY(:jobs)
""")

STATEMENTS = {Trace.TRANSCRIPTS: TRANSCRIPTS, Trace.REPORTS: REPORTS, Trace.EVENTS: EVENTS}


def erase_traces(session: Session, jobs: Sequence[UUID], traces: Collection[Trace]) -> None:
    """Erase traces of jobs that have ended, and note on them that they are gone.

    Media are a recording's and not a job's: they are only noted.
    """
    if not jobs or not traces:
        return
    for trace, statement in STATEMENTS.items():
        if trace in traces:
            session.execute(statement, {"jobs": list(jobs)})
    session.execute(MARK, {"jobs": list(jobs), "traces": [trace.value for trace in traces]})
