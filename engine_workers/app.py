"""The Celery app of the engines' workers."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_process_init, worker_ready
from kombu import Queue

from engine_workers.catalogue import engine_names
from schemas.celery_config import celery_config
from schemas.following import Follower
from schemas.live_settings import LiveSettings
from schemas.logs import set_up_logs
from schemas.names import (
    APP,
    ENGINE_NAME_PATTERN,
    ENGINE_QUEUE_PREFIX,
    QUEUE_AGGREGATION,
    QUEUE_MEDIA,
    engine_queue,
)

if TYPE_CHECKING:
    from celery.apps.worker import Worker

#: The settings of this process as they are now, and as they were when it began.
live = LiveSettings.load()
settings = live.now
app = Celery(
    APP,
    include=[
        "engine_workers.tasks",
        "engine_workers.media.tasks",
        "engine_workers.handback",
        "engine_workers.replacement",
        "engine_workers.lost",
        "engine_workers.presence",
        "engine_workers.health",
    ],
)
# A worker publishes a chord's body when it returns the last header, so it has to know that queue.
app.conf.update(
    celery_config(
        settings,
        *(engine_queue(name) for name in engine_names()),
        QUEUE_MEDIA,
        QUEUE_AGGREGATION,
    )
)


@celeryd_init.connect
def choose_queues(instance: Worker, options: dict[str, Any], **_: object) -> None:
    """Let `-Q` name the queue of any engine; without `-Q` consume those of all engines."""
    asked = options.get("queues") or ()
    queues = instance.app.amqp.queues
    for name in asked.split(",") if isinstance(asked, str) else asked:
        engine = name.removeprefix(ENGINE_QUEUE_PREFIX)
        if name not in queues and re.fullmatch(ENGINE_NAME_PATTERN, engine):
            queues.add(Queue(engine_queue(engine), routing_key=engine_queue(engine)))
    if not asked:
        queues.deselect([QUEUE_AGGREGATION, QUEUE_MEDIA])


@setup_logging.connect
def log_as_json(**_: object) -> None:
    """Log as JSON lines instead of Celery's own format."""
    set_up_logs(settings.monitoring.log_level)


@worker_ready.connect
def follow(**_: object) -> None:
    """Follow the configuration file in the worker's first process, whose children are there."""
    _follower()


@worker_process_init.connect
def follow_in_child(**_: object) -> None:
    """Follow it in a child, where no thread of its parent lives."""
    live.renew()
    Follower(live).start()


@cache
def _follower() -> Follower:
    """Return the first process's one: a worker is ready anew whenever the broker is back."""
    return Follower(live).start()
