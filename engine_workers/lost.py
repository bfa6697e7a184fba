"""Tells the ledger at once that a child died amid a run, rather than when its lease ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import WorkerLostError
from celery.signals import task_failure
from celery.worker import state
from pydantic import ValidationError
from sqlalchemy import func, select

from engine_workers.app import settings
from engine_workers.claim import RUNNING, Lease
from engine_workers.errors import CancelledError, StaleLeaseError
from engine_workers.lease import save_failure
from engine_workers.oom import MemoryKills
from schemas.audio import AudioRef
from schemas.database import Database
from schemas.errors import LedgerError
from schemas.jobs import JobRequest
from schemas.runs import Failure, FailureKind, RunMessage
from schemas.tables import EngineRun, Job

if TYPE_CHECKING:
    from celery import Task

#: What Celery says of a child that died: "… prematurely: signal 9 (SIGKILL) Job: 5."
_HOW = re.compile(r"prematurely: (?P<how>.+?) Job: ")
#: The signal that the system kills with when memory has run out.
_KILLED = "SIGKILL"
#: How a process ends that has given no sign of life for a lease, see `alive`.
_SILENT, _SILENT_HINT = "exitcode 1", " (its worker's log says where, if it held Python's lock)"

log = structlog.get_logger("engine_workers")
_memory_kills = MemoryKills()


@task_failure.connect  # type: ignore[untyped-decorator]  # celery is untyped
def on_failure(
    sender: Task[Any, Any], exception: BaseException, kwargs: dict[str, Any], **_: object
) -> None:
    """Store the loss of a child; called in the worker's first process, which saw it die.

    A ledger that does not answer finds out by the lease's end.
    """
    if not isinstance(exception, WorkerLostError):
        return
    if _told(state.should_stop) or _told(state.should_terminate):
        return  # the children are ended: their runs are handed back
    try:
        message = RunMessage.model_validate(kwargs)
    except ValidationError:
        return
    database = Database(settings)
    try:
        if note_loss(database, message, str(sender.request.hostname), loss(exception)):
            log.warning("child_lost", run_id=str(message.run_id), how=str(exception))
    except LedgerError as error:
        log.warning("loss_not_stored", run_id=str(message.run_id), error=str(error))
    finally:
        database.dispose()


def _told(order: int | bool | None) -> bool:  # noqa: FBT001  # as Celery keeps it
    """Return whether there is an order to stop: an exit code, which may be 0, or True."""
    return order is not None and order is not False


def loss(exception: BaseException, memory_kills: MemoryKills = _memory_kills) -> Failure:
    """Return the failure of a run whose process died."""
    found = _HOW.search(str(exception))
    how = found["how"] if found else str(exception)
    if _KILLED in how and memory_kills.explain_one():
        message = "the system killed its process, for memory had run out"
        return Failure(kind=FailureKind.OUT_OF_MEMORY, message=message)
    hint = _SILENT_HINT if how == _SILENT else ""
    message = f"its process died amid the work: {how}{hint}"
    return Failure(kind=FailureKind.WORKER_LOST, message=message)


def note_loss(database: Database, message: RunMessage, worker: str, failure: Failure) -> bool:
    """End the attempt of a dead child of `worker`; return whether it was at work on the run.

    Raises:
        LedgerError: the database does not answer.
    """
    with database.transaction() as session:
        found = session.execute(
            select(EngineRun, Job, func.extract("epoch", func.now() - EngineRun.started_at))
            .join(Job)
            .where(
                EngineRun.id == message.run_id,
                EngineRun.job_id == message.job_id,
                EngineRun.state == RUNNING,
                EngineRun.owner.startswith(f"{worker}:", autoescape=True),
            )
        ).one_or_none()
    if found is None:
        return False
    run, job, seconds = found
    lease = Lease(
        run.id,
        run.job_id,
        run.engine,
        run.attempt,
        run.attempt - run.forgiven,
        str(run.owner),
        settings.leases.lease_seconds,
        JobRequest.model_validate(job.request),
        AudioRef.model_validate(job.audio),
    )
    if job.cancel_requested_at is not None:
        failure = CancelledError().failure
    try:
        save_failure(database, lease, failure, float(seconds), forced=True)
    except StaleLeaseError:
        return False
    return True
