"""Finds the recordings of new jobs that are prepared, has the others prepared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from coordinator.chunks import plan
from schemas.media import NOTE_PREFIX
from schemas.names import CHANNEL_WORK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy.orm import Session

    from schemas.audio import AudioRef, ChunkPlan
    from schemas.settings import MediaSettings

#: The speech map, which may be long, is read of those alone that have to be cut.
READY = text("""
SELECT sha256, seconds,
       CASE WHEN audio ->> 'split_of' IS NULL THEN 1
            ELSE CAST(prepared -> 'info' ->> 'channels' AS int) END AS stretches,
       CASE WHEN seconds > :chunk THEN prepared -> 'speech' -> 'spans' ELSE '[]' END AS spans
FROM media WHERE sha256 = ANY(:among) AND state = 'ready'
""")

#: What failed for an earlier job is tried anew: settings, or the decoder, may have changed.
WANT = text("""
INSERT INTO media (sha256, audio, state, due_at)
SELECT sha256, audio, 'queued', now()
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (sha256 text, audio jsonb) ORDER BY sha256
ON CONFLICT (sha256) DO UPDATE
SET state = 'queued', due_at = now(), forgiven = media.attempt, failure = NULL, finished_at = NULL
WHERE media.state = 'failed'
""")

#: Whoever prepares one of these has to wait for our commit before it tells that it has: so that
#: no job is left to wait for a recording whose end was told before the job was there.
HOLD = text("SELECT sha256 FROM media WHERE sha256 = ANY(:among) ORDER BY sha256 FOR SHARE")


def plans_of(
    session: Session, recordings: Iterable[AudioRef], rules: MediaSettings
) -> dict[str, ChunkPlan]:
    """Return how those of the recordings are cut that are prepared; have the others prepared.

    It is one question where all are; the jobs of the others have to wait until theirs is.
    """
    wanted = {audio.sha256: audio for audio in recordings}
    found = read_plans(session, wanted, rules)
    missing = sorted(set(wanted) - set(found))
    if missing:
        rows = [{"sha256": sha, "audio": wanted[sha].model_dump(mode="json")} for sha in missing]
        session.execute(WANT, {"rows": json.dumps(rows)})
        session.execute(HOLD, {"among": missing})
        found |= read_plans(session, missing, rules)
        if len(found) < len(wanted):
            session.execute(select(func.pg_notify(CHANNEL_WORK, NOTE_PREFIX)))
    return found


def read_plans(
    session: Session, among: Collection[str], rules: MediaSettings
) -> dict[str, ChunkPlan]:
    """Return how those of the recordings are cut that are prepared."""
    asked = {"among": list(among), "chunk": rules.chunk_seconds}
    return {
        row.sha256: plan(row.seconds, row.spans, rules, row.stretches)
        for row in session.execute(READY, asked)
    }
