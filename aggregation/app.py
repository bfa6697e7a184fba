"""The Celery app of the aggregation workers."""

from __future__ import annotations

from celery import Celery
from celery.signals import setup_logging

from schemas import names
from schemas.celery_config import celery_config
from schemas.logs import set_up_logs
from schemas.settings import load_settings

app = Celery(names.APP, include=["aggregation.tasks"])
app.conf.update(celery_config(load_settings(), names.QUEUE_AGGREGATION))


@setup_logging.connect
def _logs(loglevel: int | str | None = None, **_: object) -> None:
    """Log as JSON lines instead of Celery's own format."""
    set_up_logs(loglevel if isinstance(loglevel, str) else "INFO")
