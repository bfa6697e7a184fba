"""Erases recordings: their rows, then their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.errors import ErasingError
from schemas.audio import apart_of, keys_of
from schemas.errors import MediaStoreError
from schemas.names import CHANNEL_FORGOTTEN
from schemas.retention import Trace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy.orm import Session

    from schemas.media_store import MediaStore

#: Seconds for which a tombstone is looked at again: a worker that was at the recording as it was
#: erased may have put a file there since.
LOOKED_AFTER_SECONDS = 2 * 86_400.0

DROP_ROWS = text("DELETE FROM media WHERE sha256 = ANY(:recordings)")

#: Every process that keeps a copy hears of it.
RAISE_TOMBSTONES = text("""
INSERT INTO tombstones (sha256, why, what, jobs)
SELECT sha256, :why, CAST(:what AS text[]), (
  SELECT count(*) FROM jobs WHERE audio ->> 'sha256' = given.sha256
)
FROM unnest(CAST(:recordings AS text[])) AS given (sha256) ORDER BY sha256
ON CONFLICT (sha256) DO UPDATE
SET at = now(), why = excluded.why, what = excluded.what, jobs = excluded.jobs
RETURNING pg_notify(:channel, sha256)
""")

MARK = text("""
UPDATE jobs SET erased = (
  SELECT array_agg(DISTINCT trace ORDER BY trace)
  FROM unnest(erased || ARRAY['media']) AS trace
) WHERE audio ->> 'sha256' = ANY(:recordings)
""")

#: Recordings that were erased and not submitted again since.
STILL_DEAD = text("""
SELECT sha256 FROM tombstones AS tombstone
WHERE at > now() - make_interval(secs => :seconds) AND 'media' = ANY(what)
  AND NOT EXISTS (
    SELECT FROM jobs WHERE audio ->> 'sha256' = tombstone.sha256 AND created_at > tombstone.at
  )
""")


@dataclass(slots=True)
class Files:
    """What was removed from the media store."""

    count: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count one more."""
        self.count += 1
        self.bytes += size


def drop_media(
    session: Session, recordings: Collection[str], why: str, traces: Collection[Trace]
) -> None:
    """Erase recordings from the ledger; their files are removed once that is committed."""
    if not recordings:
        return
    asked = {"recordings": sorted(recordings)}
    session.execute(DROP_ROWS, asked)
    session.execute(MARK, asked)
    told = {"why": why, "what": sorted(trace.value for trace in traces)}
    session.execute(RAISE_TOMBSTONES, {**asked, **told, "channel": CHANNEL_FORGOTTEN})


def whole(recordings: Iterable[str]) -> set[str]:
    """Return recordings, and what each is called where its channels are heard apart."""
    return {name for sha256 in recordings for name in (sha256, apart_of(sha256))}


def files_of(recordings: Iterable[str], store: MediaStore) -> Iterator[tuple[str, int]]:
    """Yield the keys and bytes of what the media store has of recordings.

    Raises:
        ErasingError: the store does not tell.
    """
    for sha256 in recordings:
        for key in keys_of(sha256):
            try:
                size = store.size(key)
            except (OSError, MediaStoreError) as error:
                message = f"cannot look for {key} in the media store: {error}"
                raise ErasingError(message) from error
            if size is not None:
                yield key, size


def remove_files(recordings: Iterable[str], store: MediaStore) -> Files:
    """Remove recordings from the media store.

    Raises:
        ErasingError: a file cannot be removed; the next purge tries again.
    """
    removed = Files()
    for key, size in files_of(recordings, store):
        try:
            store.remove(key)
        except (OSError, MediaStoreError) as error:
            message = f"cannot remove {key} from the media store: {error}"
            raise ErasingError(message) from error
        removed.add(size)
    return removed


def is_fresh(sha256: str, store: MediaStore, seconds: float) -> bool:
    """Return whether a recording was put into the store that lately: its job may be on the way.

    Raises:
        ErasingError: the store does not tell.
    """
    try:
        age = store.age(keys_of(sha256)[0])
    except (OSError, MediaStoreError) as error:
        message = f"cannot look for {sha256} in the media store: {error}"
        raise ErasingError(message) from error
    return age is not None and age < seconds


def remove_again(session: Session, store: MediaStore) -> Files:
    """Remove what has come back of recordings that were erased lately.

    Raises:
        ErasingError: a file cannot be removed.
    """
    dead = session.scalars(STILL_DEAD, {"seconds": LOOKED_AFTER_SECONDS}).all()
    return remove_files(dead, store)
