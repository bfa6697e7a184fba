"""The one task of the engines' workers: work on a run."""

from __future__ import annotations

import gc
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
from celery import Task
from celery.exceptions import Ignore
from celery.signals import worker_process_init
from pydantic import ValidationError

from engine_workers.alive import SignsOfLife
from engine_workers.app import app, live, settings
from engine_workers.errors import NotClaimableError, StaleLeaseError
from engine_workers.footprint import FootprintWatcher
from engine_workers.heard_on import ModelTeller
from engine_workers.models import LoadedEngine
from engine_workers.work import Worker
from schemas.database import Database
from schemas.errors import LedgerError
from schemas.names import TASK_TRANSCRIBE
from schemas.runs import RunMessage

if TYPE_CHECKING:
    from engine_workers.engines.base import Engine

#: Seconds beyond a lease after which a run whose worker was lost is tried again: a message that
#: came back earlier would find the lease alive, and be dropped as a duplicate.
RETRY_MARGIN_SECONDS = 5.0

log = structlog.get_logger("engine_workers")


@app.task(
    bind=True,
    name=TASK_TRANSCRIBE,
    # Nobody reads a result; the chord is counted all the same.
    ignore_result=True,
    # The ledger tries again what a dead process was at, behind the runs that wait. Celery's own
    # retry would overtake them: poison would hold up all the others.
    retry_on_worker_lost=False,
    max_retries=2,
    default_retry_delay=settings.leases.lease_seconds + RETRY_MARGIN_SECONDS,
)
def transcribe(task: Task[Any, Any], *args: object, **kwargs: object) -> dict[str, Any]:
    """Work on the run that the message names; return its outcome, however the engine fared.

    Raises:
        Ignore: there is nothing to do here: the message is none of ours, or the run another's.
        Retry: the database does not answer.
    """
    try:
        message = RunMessage.model_validate(kwargs)
    except ValidationError as error:
        log.error("bad_message", args=len(args), problems=error.error_count())  # noqa: TRY400
        raise Ignore from error
    with structlog.contextvars.bound_contextvars(
        job_id=str(message.job_id), run_id=str(message.run_id)
    ):
        try:
            owner = f"{task.request.hostname}:{os.getpid()}"
            worker = _worker(task.request.hostname)
            worker.settings = live.now  # those of this run, to its end
            return worker.run(message, owner).model_dump(mode="json")
        except (NotClaimableError, StaleLeaseError) as error:
            log.info("left_alone", why=str(error))
            raise Ignore from error
        except LedgerError as error:
            log.warning("put_off", error=str(error))
            raise task.retry(exc=error) from error


@cache
def _worker(name: str) -> Worker:
    """Return what this process works with, made when the first run comes to its worker."""
    database = Database(settings)
    footprint, model = FootprintWatcher(database), ModelTeller(database, name)

    def watch(engine: Engine, load_seconds: float) -> None:
        footprint(engine, load_seconds)
        model(engine, load_seconds)

    loaded = LoadedEngine(settings.worker.idle_unload_seconds, watch)
    return Worker(settings, database, loaded, guard=SignsOfLife)


@worker_process_init.connect
def forget_the_parent(**_: object) -> None:
    """Open new connections in a forked child: the parent's do not survive a fork."""
    _worker.cache_clear()
    gc.freeze()  # what was imported stays: to look for garbage among it costs time and memory
