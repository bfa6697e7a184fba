"""The one task of the aggregation workers: finish a job whose runs have ended."""

from __future__ import annotations

import gc
from functools import cache
from typing import Any
from uuid import UUID

import structlog
from celery import Task, shared_task
from celery.signals import worker_process_init

from aggregation.app import live, settings
from aggregation.finish import Ending, finish
from aggregation.poison import note_failure
from schemas import names
from schemas.database import Database
from schemas.errors import LedgerError

#: Seconds before the first retry after a database error, and between retries at most.
FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 1, 300
#: Retries before the message is given up; the sweeper then sends another.
MAX_RETRIES = 20
#: Seconds before a comparison that failed is tried again.
AGAIN_SECONDS = 1

log = structlog.get_logger(__name__)


@shared_task(
    bind=True,
    name=names.TASK_AGGREGATE,
    ignore_result=True,
    autoretry_for=(LedgerError,),
    retry_backoff=FIRST_RETRY_SECONDS,
    retry_backoff_max=MAX_RETRY_SECONDS,
    retry_jitter=True,
    # After a worker that was lost: what it left undone is safe to do again at once.
    default_retry_delay=FIRST_RETRY_SECONDS,
    max_retries=MAX_RETRIES,
)
def aggregate(task: Task[Any, Any], *, job_id: str) -> str:
    """Finish the job if all its runs have ended; may be sent any number of times.

    Callback, errback and sweeper all send it: what it does depends on the ledger alone. An error
    of the comparison itself is tried again, then fails the job.

    Returns:
        What was done, a word of `finish.Ending`: deterministic for a given state of the ledger.
    """
    structlog.contextvars.bind_contextvars(job_id=job_id)
    try:
        again, strategy = task.request.retries > 0, live.now.aggregation.strategy
        ending = finish(_database(), UUID(job_id), again=again, strategy=strategy)
    except LedgerError:
        raise
    except Exception as error:  # whatever ails the comparison: the job must end all the same
        log.exception("aggregation_failed")
        if note_failure(_database(), UUID(job_id), error):
            return Ending.FAILED.value
        raise task.retry(exc=error, countdown=AGAIN_SECONDS) from error
    else:
        log.info("aggregated", ending=ending.value)
        return ending.value
    finally:
        structlog.contextvars.unbind_contextvars("job_id")


@cache
def _database() -> Database:
    return Database(settings)


@worker_process_init.connect
def _after_fork(**_: object) -> None:
    """Open new connections in a forked child: the parent's do not survive a fork."""
    _database.cache_clear()
    gc.freeze()  # what was imported stays: to look for garbage among it costs time and memory
