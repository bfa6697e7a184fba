"""Takes runs that have ended out of their windows, then corrects what they were charged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.estimates import learn
from schemas.names import CHANNEL_WORK
from schemas.runs import RunState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: Any number that nobody else locks: of several coordinators one admits at a time.
ADMISSION_LOCK = 0x63686F7261

#: Waits for its turn first. What follows in the transaction is then planned once for all, as to
#: plan it costs as much as to do it; by the indexes, as a plan that was made while the tables were
#: small has to serve when a hundred thousand jobs have come.
#: Runs that were charged for one length and took another give the difference back, or pay it. A run
#: that was never worked on, because its job was cancelled, gives everything back. A job that is in
#: no one chord has no callback: the coordinators are told to see whether it has ended.
ENDED = text("""
WITH turn AS MATERIALIZED (
  SELECT pg_advisory_xact_lock(:lock),
         set_config('plan_cache_mode', 'force_generic_plan', true),
         set_config('enable_seqscan', 'off', true)
), ended AS (
  UPDATE engine_runs AS run SET place = NULL
  FROM jobs AS job
  WHERE (SELECT count(*) FROM turn) = 1
    AND run.place = 'window' AND run.state IN ('succeeded', 'failed', 'cancelled')
    AND job.id = run.job_id
  RETURNING run.job_id, job.one_chord, job.finished_at,
            run.engine, run.device, run.model, run.audio_seconds,
            run.job_owner, run.state, run.cost,
            CASE WHEN run.reused_from IS NULL
                 THEN coalesce(run.processing_seconds, 0) ELSE 0 END AS took, run.reused_from,
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
SELECT state, reused_from, engine, device, model, cost, audio_seconds, took, size, name,
       CASE WHEN NOT one_chord AND finished_at IS NULL
            THEN pg_notify(:channel, CAST(job_id AS text)) END AS woken
FROM ended
""")


def settle(session: Session) -> None:
    """Free the places of the runs that have ended; learn from those that succeeded.

    Nobody else admits from then on, until the transaction ends.
    """
    about = {"channel": CHANNEL_WORK, "lock": ADMISSION_LOCK}
    ended = session.connection().execute(ENDED, about).all()
    succeeded = [run for run in ended if run.state == RunState.SUCCEEDED.value]
    # Where an earlier transcript was found, nothing was measured.
    measured = [run for run in succeeded if run.reused_from is None]
    if measured:
        learn(session, measured)
