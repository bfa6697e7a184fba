"""The task that prepares a recording before any engine hears it."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from celery import Task
from celery.exceptions import Ignore, WorkerLostError
from celery.signals import celeryd_after_setup, task_failure, worker_process_init
from pydantic import ValidationError

from engine_workers.app import app, live, settings
from engine_workers.errors import NotClaimableError, StaleLeaseError
from engine_workers.lost import loss
from engine_workers.media.lease import lose
from engine_workers.media.preparer import Preparer
from schemas.database import Database
from schemas.errors import LedgerError
from schemas.media import MediaMessage
from schemas.names import QUEUE_MEDIA, TASK_PREPARE

if TYPE_CHECKING:
    from celery.apps.worker import Worker

#: Seconds after which a message is tried again while the database does not answer.
AGAIN_SECONDS = 5.0

log = structlog.get_logger("engine_workers")


@app.task(
    bind=True,
    name=TASK_PREPARE,
    ignore_result=True,
    # The ledger tries again what a dead process was at.
    retry_on_worker_lost=False,
    max_retries=None,
    default_retry_delay=AGAIN_SECONDS,
)
def prepare(task: Task[Any, Any], *args: object, **kwargs: object) -> str:
    """Prepare the recording that the message names; return what became of it.

    Raises:
        Ignore: there is nothing to do here: the message is none of ours, or another is at it.
        Retry: the database does not answer.
    """
    try:
        message = MediaMessage.model_validate(kwargs)
    except ValidationError as error:
        log.error("bad_message", args=len(args), problems=error.error_count())  # noqa: TRY400
        raise Ignore from error
    with structlog.contextvars.bound_contextvars(media=message.sha256[:12]):
        try:
            preparer = _preparer()
            preparer.settings = live.now  # those of this recording, to its end
            return preparer.run(message, f"{task.request.hostname}:{os.getpid()}").value
        except (NotClaimableError, StaleLeaseError) as error:
            log.info("left_alone", why=str(error))
            raise Ignore from error
        except LedgerError as error:
            log.warning("put_off", error=str(error))
            raise task.retry(exc=error) from error


@cache
def _preparer() -> Preparer:
    """Return what this process works with, made when the first message comes."""
    return Preparer(settings, Database(settings))


@worker_process_init.connect
def forget_the_parent(**_: object) -> None:
    """Open new connections in a forked child: the parent's do not survive a fork."""
    _preparer.cache_clear()


@celeryd_after_setup.connect
def consume_media_too(instance: Worker, **_: object) -> None:
    """Let an engine's worker prepare recordings as well, unless others shall."""
    if settings.media.by_engine_workers:
        queues = instance.app.amqp.queues
        queues.select_add(queues[QUEUE_MEDIA])


@task_failure.connect
def on_failure(
    sender: Task[Any, Any], exception: BaseException, kwargs: dict[str, Any], **_: object
) -> None:
    """Have a recording prepared again whose worker's child has died; its lease need not end."""
    if sender.name != TASK_PREPARE or not isinstance(exception, WorkerLostError):
        return
    database = Database(settings)
    try:
        message = MediaMessage.model_validate(kwargs)
        lose(database, message.sha256, str(sender.request.hostname), loss(exception))
    except (ValidationError, LedgerError, StaleLeaseError) as error:
        log.warning("loss_not_stored", error=str(error))
    finally:
        database.dispose()
