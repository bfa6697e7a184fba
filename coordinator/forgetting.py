"""Keeps the transcripts that answer others within their age and number of bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import text

from schemas.cache import CacheView

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import CacheSettings

#: Seconds between two looks.
EVERY_SECONDS = 3600.0

#: The newest stay, as many as there is room for. A transcript stays its job's: it just answers
#: nobody else any more.
FORGET = text("""
UPDATE engine_runs AS run SET question = NULL, heard_by = NULL, digest = NULL
FROM (SELECT id, finished_at, sum(octet_length(transcript)) OVER (ORDER BY finished_at DESC, id)
             AS size FROM engine_runs WHERE question IS NOT NULL) AS entry
WHERE run.id = entry.id
  AND (entry.size > :most OR entry.finished_at < now() - make_interval(secs => :ttl))
""")

#: A miss is a run that was heard by an engine and may answer others.
COUNT = text("""
SELECT count(*) FILTER (WHERE question IS NOT NULL) AS entries,
       coalesce(sum(octet_length(transcript)) FILTER (WHERE question IS NOT NULL), 0) AS bytes,
       count(*) FILTER (WHERE reused_from IS NOT NULL) AS hits,
       count(*) FILTER (WHERE digest IS NOT NULL) AS misses
FROM engine_runs WHERE state = 'succeeded'
""")


class Forgetting:
    """Looks once an hour, however often it is asked to."""

    def __init__(self) -> None:
        """Look at the first call."""
        self._next = 0.0
        self._rules: CacheSettings | None = None

    def look(self, database: Database, rules: CacheSettings) -> int:
        """Forget what is too old or too much, if it is time to; return how many entries.

        It is so too when the rules have changed.

        Raises:
            LedgerError: the database does not answer.
        """
        if time.monotonic() < self._next and rules == self._rules:
            return 0
        self._rules = rules
        self._next = time.monotonic() + EVERY_SECONDS
        return forget(database, rules.max_bytes, rules.ttl_seconds)


def forget(database: Database, most_bytes: int, ttl_seconds: float) -> int:
    """Let transcripts beyond these answer nobody any more; return how many there were.

    Raises:
        LedgerError: the database does not answer.
    """
    with database.statements() as connection:
        return connection.execute(FORGET, {"most": most_bytes, "ttl": ttl_seconds}).rowcount


def count_cache(database: Database) -> CacheView:
    """Return what there is, and how often it was of use, as far as the ledger goes back.

    Raises:
        LedgerError: the database does not answer.
    """
    with database.statements() as connection:
        return CacheView.model_validate(connection.execute(COUNT).one()._asdict())
