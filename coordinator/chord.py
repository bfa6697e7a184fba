"""Builds a job's chord: the engines' runs as its header, the aggregation as its body."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from celery import chord

from schemas.names import QUEUE_AGGREGATION, TASK_AGGREGATE, TASK_TRANSCRIBE, engine_queue
from schemas.runs import RunMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery import Celery
    from celery.canvas import Signature


def aggregate_signature(app: Celery, job_id: UUID) -> Signature:
    """Return the aggregation of a job; it takes nothing from the tasks before it."""
    return app.signature(
        TASK_AGGREGATE,
        kwargs={"job_id": str(job_id)},
        queue=QUEUE_AGGREGATION,
        immutable=True,
    )


def job_chord(app: Celery, job_id: UUID, runs: Sequence[tuple[UUID, str]]) -> Signature:
    """Return what to publish for a job.

    Args:
        app: the app that knows the queues.
        job_id: the job.
        runs: id and engine of each run that has not ended; when there are none,
            only the aggregation is left to do.

    The body never runs when a header raises, is killed or revoked (Celery 5.7 then calls the
    body's errback alone), so the errback is the same aggregation by the same fixed arguments.
    """
    body = aggregate_signature(app, job_id)
    if not runs:
        return body
    header = [
        app.signature(
            TASK_TRANSCRIBE,
            kwargs=RunMessage(run_id=run_id, job_id=job_id).model_dump(mode="json"),
            queue=engine_queue(engine),
            immutable=True,
        )
        for run_id, engine in runs
    ]
    body.link_error(aggregate_signature(app, job_id))
    # The header's group gets this name as its id, and so does the body.
    return chord(header, body, app=app).set(task_id=_group_id(job_id))


def _group_id(job_id: UUID) -> str:
    """Return a name for the broker's counters: never used before, its job to be seen from it."""
    return f"{job_id}:{uuid4().hex[:12]}"


def job_of_group(group_id: str) -> UUID | None:
    """Return the job whose runs were published under `group_id`; None for another's group."""
    try:
        return UUID(group_id.partition(":")[0])
    except ValueError:
        return None
