"""The Celery app of the aggregation workers."""

from __future__ import annotations

from celery import Celery
from celery.signals import setup_logging

from schemas import names
from schemas.celery_config import celery_config
from schemas.logs import set_up_logs
from schemas.settings import load_settings

app = Celery(names.APP, include=["aggregation.tasks"])
settings = load_settings()
app.conf.update(celery_config(settings, names.QUEUE_AGGREGATION))


@setup_logging.connect
def _logs(**_: object) -> None:
    """Log as JSON lines instead of Celery's own format."""
    set_up_logs(settings.monitoring.log_level)
