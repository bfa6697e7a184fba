"""Hands recordings to those who prepare them, rescues what a death left behind there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, case, cast, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from coordinator.app import know_queues
from schemas.media import MediaMessage, MediaState
from schemas.media_table import Medium
from schemas.names import QUEUE_MEDIA, TASK_PREPARE
from schemas.retries import MAX_ATTEMPTS
from schemas.runs import Failure, FailureKind

if TYPE_CHECKING:
    from celery import Celery
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

QUEUED, RUNNING = MediaState.QUEUED.value, MediaState.RUNNING.value
#: Recordings that one transaction hands out, and that one sweep rescues.
MAX_PUBLISHED, MAX_RESCUED = 16, 1000

#: Jobs may wait for a recording whose row somebody removed.
MISSING = text("""
INSERT INTO media (sha256, audio, state, due_at)
SELECT DISTINCT ON (job.audio ->> 'sha256') job.audio ->> 'sha256', job.audio, 'queued', now()
FROM jobs AS job
WHERE job.preparing AND job.finished_at IS NULL
  AND NOT EXISTS (SELECT FROM media WHERE sha256 = job.audio ->> 'sha256')
LIMIT :most
ON CONFLICT DO NOTHING
""")


def publish_media(session: Session, app: Celery) -> int:
    """Publish the recordings that are due; return how many those were.

    Their rows stay locked until the broker has taken their messages. Those that came first go
    first, whatever the priority of their jobs: preparing takes a hundredth of what engines do.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer; they stay due.
    """
    due = (
        select(Medium.sha256)
        .where(Medium.due_at <= func.now())
        .order_by(Medium.due_at, Medium.sha256)
        .limit(MAX_PUBLISHED)
        .with_for_update(skip_locked=True)
    )
    taken = session.scalars(
        update(Medium)
        .where(Medium.sha256.in_(due))
        .values(due_at=None, published_at=func.now())
        .returning(Medium.sha256)
        .execution_options(synchronize_session=False)
    ).all()
    know_queues(app, [QUEUE_MEDIA])
    for sha256 in taken:
        message = MediaMessage(sha256=sha256).model_dump(mode="json")
        app.signature(TASK_PREPARE, kwargs=message, queue=QUEUE_MEDIA).apply_async()
    return len(taken)


def end_dead_leases(session: Session) -> int:
    """End the leases that nobody renewed; return their number."""
    message = f"its worker died or fell silent in each of {MAX_ATTEMPTS} attempts"
    lost = Failure(kind=FailureKind.WORKER_LOST, message=message).model_dump(mode="json")
    used_up = Medium.attempt - Medium.forgiven >= MAX_ATTEMPTS
    ended = session.scalars(
        update(Medium)
        .where(Medium.state == RUNNING, Medium.lease_expires_at < func.now())
        .values(
            state=case((used_up, MediaState.FAILED.value), else_=QUEUED),
            due_at=case((used_up, None), else_=func.now()),
            failure=case((used_up, cast(lost, JSONB)), else_=None),
            owner=None,
            lease_expires_at=None,
        )
        .returning(Medium.sha256)
        .execution_options(synchronize_session=False)
    ).all()
    return len(ended)


def republish_lost(session: Session, silent_seconds: float, *, empty: bool) -> int:
    """Make recordings due again whose message the broker has lost; return their number.

    The rule is that of `sweep.republish_lost`: `empty` says that the queue is.
    """
    age = func.make_interval(0, 0, 0, 0, 0, 0, silent_seconds)
    later = aliased(Medium)
    overtaken = exists().where(
        later.published_at > Medium.published_at, later.started_at < func.now() - age
    )
    silent = and_(
        Medium.state == QUEUED, Medium.due_at.is_(None), Medium.published_at < func.now() - age
    )
    lost = select(Medium.sha256).where(silent).limit(MAX_RESCUED)
    lost = (lost if empty else lost.where(overtaken)).with_for_update(skip_locked=True)
    return _make_due(session, Medium.sha256.in_(lost))


def want_missing(session: Session) -> None:
    """Have recordings prepared that jobs wait for although nobody knows of them."""
    session.execute(MISSING, {"most": MAX_RESCUED})


def reopen_media(session: Session) -> int:
    """Make everything due that is not ready; return how many recordings that are.

    As `recover.reopen_interrupted`, and under the same condition: no worker is alive.
    """
    return _make_due(session, Medium.state.in_((QUEUED, RUNNING)))


def _make_due(session: Session, which: ColumnElement[bool]) -> int:
    cut_off = case((Medium.state == RUNNING, Medium.forgiven + 1), else_=Medium.forgiven)
    made = session.scalars(
        update(Medium)
        .where(which)
        .values(
            state=QUEUED, due_at=func.now(), owner=None, lease_expires_at=None, forgiven=cut_off
        )
        .returning(Medium.sha256)
        .execution_options(synchronize_session=False)
    ).all()
    return len(made)
