"""The Celery app of the aggregation workers."""

from __future__ import annotations

from functools import cache

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_ready

from schemas import names
from schemas.celery_config import celery_config
from schemas.following import Follower
from schemas.live_settings import LiveSettings
from schemas.logs import set_up_logs

app = Celery(names.APP, include=["aggregation.tasks", "aggregation.health"])
#: The settings of this process as they are now, and as they were when it began.
live = LiveSettings.load()
settings = live.now
app.conf.update(celery_config(settings, names.QUEUE_AGGREGATION))


@setup_logging.connect
def _logs(**_: object) -> None:
    """Log as JSON lines instead of Celery's own format."""
    set_up_logs(settings.monitoring.log_level)


@worker_ready.connect
def _follow(**_: object) -> None:
    """Follow the configuration file in the worker's first process, whose children are there."""
    _follower()


@worker_process_init.connect
def _follow_in_child(**_: object) -> None:
    """Follow it in a child, where no thread of its parent lives."""
    live.renew()
    Follower(live).start()


@cache
def _follower() -> Follower:
    """Return the first process's one: a worker is ready anew whenever the broker is back."""
    return Follower(live).start()
