"""Takes runs that have ended out of their windows, then corrects what they were charged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.estimates import learn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: Runs that were charged for one length and took another give the difference back, or pay it. A
#: run that was never worked on, because its job was cancelled, gives everything back.
ENDED = text("""
WITH ended AS (
  UPDATE engine_runs AS run SET place = NULL
  FROM jobs AS job
  WHERE run.place = 'window' AND run.state IN ('succeeded', 'failed', 'cancelled')
    AND job.id = run.job_id
  RETURNING run.engine, run.job_owner, run.state, run.cost, run.audio_seconds,
            coalesce(run.processing_seconds, 0) AS took,
            CASE WHEN run.chunk_seconds IS NULL
                 THEN CAST(job.audio ->> 'size' AS bigint) END AS size,
            job.audio ->> 'name' AS name
), corrected AS (
  UPDATE shares AS share SET used = share.used + given.seconds / coalesce(owner.weight, 1)
  FROM (SELECT engine, job_owner, sum(took - cost) AS seconds FROM ended
        GROUP BY engine, job_owner) AS given
  LEFT JOIN owners AS owner ON owner.name = given.job_owner
  WHERE share.engine = given.engine AND share.owner = given.job_owner
)
SELECT engine, cost, audio_seconds, took, size, name FROM ended WHERE state = 'succeeded'
""")


def settle(session: Session) -> None:
    """Free the places of the runs that have ended; learn from those that succeeded."""
    measured = session.execute(ENDED).all()
    if measured:
        learn(session, measured)
