"""The coordinator's Celery app: it publishes, consumes nothing, reads no result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import Celery
from kombu import Queue

from schemas.celery_config import celery_config
from schemas.names import APP, QUEUE_AGGREGATION
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds between attempts, and attempts, before a publication counts as failed.
PUBLISH_RETRY = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.3, "interval_max": 1}


def make_app(settings: Settings) -> Celery:
    """Return an app that can publish to the broker that `settings` name."""
    made = Celery(APP, set_as_current=False)
    made.conf.update(celery_config(settings, QUEUE_AGGREGATION))
    made.conf.task_publish_retry_policy = PUBLISH_RETRY
    made.conf.result_backend_transport_options = {"retry_policy": PUBLISH_RETRY}
    backend = "coordinator.results:NeverSubscribe"
    made.loader.override_backends = {"redis": backend, "rediss": backend}
    return made


def know_queues(app: Celery, names: Iterable[str]) -> None:
    """Let `app` publish to queues that were not named when it was made."""
    for name in names:
        if name not in app.amqp.queues:
            app.amqp.queues.add(Queue(name, routing_key=name))


#: For `celery -A coordinator.app …`: Flower and other tools that only watch.
app = make_app(load_settings())
