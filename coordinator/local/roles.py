"""The command lines of the stack's roles, which are other packages' programs."""

from __future__ import annotations

import sys

from schemas.names import QUEUE_AGGREGATION, engine_queue


def celery(app: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line that runs Celery's own program for the app of a module.

    `-P`, and the module imported before Celery's program begins, keep a folder of the working
    directory that happens to be called `schemas` from being taken for ours.
    """
    start = f"import {app}; from celery.__main__ import main; main()"
    return (sys.executable, "-P", "-c", start, "-A", app, *arguments)


def worker(app: str, name: str, queue: str) -> tuple[str, ...]:
    """Return the command line of a worker with one child that consumes `queue`.

    `{wait}` stands for the seconds that it waits before it begins.
    """
    module = "coordinator.celery_worker"
    return (sys.executable, "-P", "-m", module, app, name, queue, "{wait}")


def role_table() -> dict[str, tuple[str, ...]]:
    """Return the command lines by role.

    `{engine}` stands for an engine's name, `{port}` for Flower's port, `{wait}` for the seconds
    that a worker leaves the processor to what is needed first.
    """
    return {
        "coordinator": (sys.executable, "-P", "-m", "coordinator.service"),
        "aggregation": worker("aggregation.app", "aggregation", QUEUE_AGGREGATION),
        "engine": worker("engine_workers.app", "{engine}", engine_queue("{engine}")),
        "flower": celery("coordinator.app", "flower", "--address=127.0.0.1", "--port={port}"),
    }
