"""Removes this machine's copies of recordings that were erased."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from schemas.errors import LedgerError
from schemas.media_store import BucketStore, open_store
from schemas.memory_tables import Tombstone
from schemas.retention import Trace
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from schemas.database import Database
    from schemas.media_cache import MediaCache
    from schemas.settings import Settings

#: Seconds between two looks: as long may a copy outlive its recording.
LOOK_SECONDS = 30.0

log = structlog.get_logger("engine_workers")


def erased_of(session: Session, recordings: Collection[str]) -> set[str]:
    """Return which of the recordings were erased, and not submitted again since."""
    again = exists().where(
        Job.audio["sha256"].astext == Tombstone.sha256, Job.created_at > Tombstone.at
    )
    dead = select(Tombstone.sha256).where(
        Tombstone.sha256.in_(recordings), Tombstone.what.any_() == Trace.MEDIA.value, ~again
    )
    return set(session.scalars(dead).all())


class Forgotten:
    """Compares the cache of a bucket with the ledger's tombstones, whoever asks how often.

    What is kept is looked at, not what was told meanwhile: a machine that was away for a month
    comes back with nothing that was erased in it.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        """Look at the first call; never where the media lie in a folder that all share."""
        store = open_store(settings)
        self._cache: MediaCache | None = store.cache if isinstance(store, BucketStore) else None
        self._database = database
        self._next = 0.0

    def look(self) -> int:
        """Remove what was erased if it is time to look; return how many files went.

        A ledger that is away, or a file that is in use, is left to the next look.
        """
        if self._cache is None or time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + LOOK_SECONDS
        try:
            kept = self._cache.recordings()
            if not kept:
                return 0
            with self._database.reading() as session:
                dead = erased_of(session, kept)
            removed = sum(self._cache.drop(sha256) for sha256 in sorted(dead))
        except (LedgerError, SQLAlchemyError, OSError) as error:
            log.warning("copies_not_compared", error=str(error))
            return 0
        if removed:
            log.info("erased_copies_removed", recordings=len(dead), files=removed)
        return removed
