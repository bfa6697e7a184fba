"""Publishes the parts of a job's chord: runs as its header, the aggregation as its body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from schemas.names import QUEUE_AGGREGATION, TASK_AGGREGATE, TASK_TRANSCRIBE, engine_queue
from schemas.runs import RunMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery import Celery
    from celery.canvas import Signature
    from kombu import Producer


@dataclass(frozen=True, slots=True)
class Header:
    """Tasks of a chord's header, all of them or those whose turn has come."""

    #: The name by which the broker counts them.
    group: str
    #: How many tasks the whole header has.
    size: int
    #: Whether they are the first of it to be published.
    begins: bool
    #: Id and engine of each run.
    runs: Sequence[tuple[UUID, str]]


def whole_chord(job_id: UUID) -> str:
    """Return the name of the chord in which each run of the job counts once."""
    return f"{job_id}:whole"


def new_chord(job_id: UUID) -> str:
    """Return a name for a chord of a few runs: never used before, its job to be seen from it."""
    return f"{job_id}:{uuid4().hex[:12]}"


def job_of_group(group_id: str) -> UUID | None:
    """Return the job whose runs were published under `group_id`; None for another's group."""
    try:
        return UUID(group_id.partition(":")[0])
    except ValueError:
        return None


def aggregate_signature(app: Celery, job_id: UUID) -> Signature:
    """Return the aggregation of a job; it takes nothing from the tasks before it."""
    return app.signature(
        TASK_AGGREGATE,
        kwargs={"job_id": str(job_id)},
        queue=QUEUE_AGGREGATION,
        immutable=True,
    )


def publish_header(app: Celery, producer: Producer, job_id: UUID, header: Header) -> None:
    """Publish tasks of the header of a job's chord; the worker that ends the last sends the body.

    Celery publishes a header as one; ours goes out task by task, as places fall free at the
    engines, and is counted by Celery's workers all the same: each task names the group
    and the body.

    The body never runs when a header raises, is killed or revoked (Celery 5.7 then calls the
    body's errback alone), so the errback is the same aggregation by the same fixed arguments.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.
    """
    body = aggregate_signature(app, job_id)
    body.link_error(aggregate_signature(app, job_id))
    body.freeze(header.group)
    if header.begins:
        app.backend.set_chord_size(header.group, header.size)
    for run_id, engine in header.runs:
        app.send_task(
            TASK_TRANSCRIBE,
            kwargs=RunMessage(run_id=run_id, job_id=job_id).model_dump(mode="json"),
            queue=engine_queue(engine),
            producer=producer,
            chord=body,
            group_id=header.group,
        )
