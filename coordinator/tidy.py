"""Removes what dead workers left in the broker for jobs that have ended."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select

from coordinator.broker import broker_channel
from coordinator.chord import job_of_group
from schemas.media import MediaMessage
from schemas.media_table import Medium
from schemas.tables import Job

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery import Celery
    from sqlalchemy.orm import Session

#: Messages, or keys, that one call looks at: its cost does not grow with the broker's contents.
MAX_LOOKED_AT = 1000
#: The ends of the keys by which a chord is counted.
CHORD_ENDS = (".j", ".s", ".t", ".d", ".c")


class Tidier:
    """Goes round the broker's keys, some at each call.

    A worker that is killed leaves its messages unacknowledged; the broker would hand them out
    again after its visibility timeout, a day, and keep the chord's counters for a week. The
    ledger has given the runs to others long before. Should the worker be alive all the same,
    its acknowledgement finds nothing, which is no error.
    """

    def __init__(self, app: Celery) -> None:
        """Begin anywhere."""
        self._app = app
        self._cursor = 0

    def tidy(self, session: Session, silent_seconds: float) -> int:
        """Remove messages and counters of jobs that ended that long ago; return their number.

        Raises:
            kombu.exceptions.OperationalError: the broker does not answer.
        """
        with broker_channel(self._app) as channel:
            return self._messages(session, channel, silent_seconds) + self._counters(
                session, channel, silent_seconds
            )

    def _messages(self, session: Session, channel: Any, silent_seconds: float) -> int:  # noqa: ANN401  # kombu's channel has no types
        tags = channel.client.zrange(channel.unacked_index_key, 0, MAX_LOOKED_AT - 1)
        if not tags:
            return 0
        raws = channel.client.hmget(channel.unacked_key, tags)
        jobs = {tag: _job_of(raw) for tag, raw in zip(tags, raws, strict=True) if raw}
        ended = _ended(session, filter(None, jobs.values()), silent_seconds)
        gone = [tag for tag, job_id in jobs.items() if job_id in ended]
        media = {tag: _medium_of(raw) for tag, raw in zip(tags, raws, strict=True) if raw}
        settled = _settled(session, filter(None, media.values()), silent_seconds)
        gone += [tag for tag, sha256 in media.items() if sha256 in settled]
        if gone:
            channel.client.zrem(channel.unacked_index_key, *gone)
            channel.client.hdel(channel.unacked_key, *gone)
        return len(gone)

    def _counters(self, session: Session, channel: Any, silent_seconds: float) -> int:  # noqa: ANN401
        prefix = _text(self._app.backend.group_keyprefix)
        self._cursor, keys = channel.client.scan(
            self._cursor, match=f"{prefix}*", count=MAX_LOOKED_AT
        )
        found = [name for name in map(_text, keys) if name.endswith(CHORD_ENDS)]
        jobs = {name: job_of_group(name.removeprefix(prefix).rpartition(".")[0]) for name in found}
        ended = _ended(session, filter(None, jobs.values()), silent_seconds)
        gone = [name for name, job_id in jobs.items() if job_id in ended]
        if gone:
            channel.client.delete(*gone)
        return len(gone)


def _ended(session: Session, jobs: Iterable[UUID], silent_seconds: float) -> set[UUID]:
    asked = set(jobs)
    if not asked:
        return set()
    age = func.make_interval(0, 0, 0, 0, 0, 0, silent_seconds)
    return set(
        session.scalars(
            select(Job.id).where(Job.id.in_(asked), Job.finished_at <= func.now() - age)
        )
    )


def _settled(session: Session, media: Iterable[str], silent_seconds: float) -> set[str]:
    """Return those of the recordings whose preparation ended that long ago."""
    asked = set(media)
    if not asked:
        return set()
    age = func.make_interval(0, 0, 0, 0, 0, 0, silent_seconds)
    return set(
        session.scalars(
            select(Medium.sha256).where(
                Medium.sha256.in_(asked), Medium.finished_at <= func.now() - age
            )
        )
    )


def _job_of(raw: bytes) -> UUID | None:
    """Return the job that an unacknowledged message is about; None when it is not one of ours."""
    try:
        return UUID(_kwargs(raw)["job_id"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _medium_of(raw: bytes) -> str | None:
    """Return the recording that an unacknowledged message is about; None when about none."""
    try:
        return MediaMessage.model_validate(_kwargs(raw)).sha256
    except (ValueError, TypeError, KeyError):
        return None


def _kwargs(raw: bytes) -> Any:  # noqa: ANN401  # whatever is in the broker
    message, _, _ = json.loads(raw)
    return json.loads(base64.b64decode(message["body"]))[1]


def _text(key: bytes | str) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else key
