"""The coordinator's part in the preparation of recordings: it does nothing where nothing is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator import media_queue
from coordinator.broker import queue_length
from coordinator.prepared import MAX_PLACED, place_prepared
from schemas.media import noted_media
from schemas.names import QUEUE_MEDIA

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from celery import Celery

    from schemas.database import Database
    from schemas.live_settings import LiveSettings


class Preparations:
    """Remembers what was heard of preparations until it is looked after."""

    def __init__(self, database: Database, app: Celery, settings: LiveSettings) -> None:
        """Begin with everything to be looked at: much may have happened before."""
        self._database = database
        self._app = app
        self._settings = settings
        self._ended: set[str] = set()
        self._all = self._due = True

    def hear(self, payloads: Iterable[str]) -> None:
        """Take note of what was told on the coordinators' channel."""
        for sha256 in filter(lambda heard: heard is not None, map(noted_media, payloads)):
            self._due = True  # one that failed may be due again
            if sha256:
                self._ended.add(sha256)

    def work(self) -> int:
        """Publish what is due, let the jobs go on whose recordings are ready; return how many.

        Costs nothing unless something was heard, or `look` was called.

        Raises:
            LedgerError: the database does not answer.
            kombu.exceptions.OperationalError: the broker does not answer.
        """
        while self._due:
            with self._database.transaction() as session:
                published = media_queue.publish_media(session, self._app)
            self._due = published == media_queue.MAX_PUBLISHED
        if not (self._all or self._ended):
            return 0
        placed = self._place(None if self._all else self._ended)
        self._all, self._ended = False, set()
        return placed

    def look(self, silent_seconds: float) -> dict[str, int]:
        """Rescue what is stuck; have everything looked at by the next `work`.

        Raises:
            LedgerError: the database does not answer.
            kombu.exceptions.OperationalError: the broker does not answer.
        """
        empty = queue_length(self._app, QUEUE_MEDIA) == 0
        with self._database.transaction() as session:
            media_queue.want_missing(session)
            rescued = {
                "media_dead_leases": media_queue.end_dead_leases(session),
                "media_republished": media_queue.republish_lost(
                    session, silent_seconds, empty=empty
                ),
            }
        self._all = self._due = True
        return rescued

    def _place(self, among: Collection[str] | None) -> int:
        placed = 0
        while True:
            with self._database.transaction() as session:
                found = place_prepared(session, self._settings.now, among)
            placed += found
            if found < MAX_PLACED:
                return placed
