"""Has a pool's child replaced as soon as it has died, rather than within five seconds."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from celery.bootsteps import StartStopStep
from celery.concurrency.asynpool import AsynPool

from engine_workers.app import app

if TYPE_CHECKING:
    from celery.worker import WorkController

#: Seconds between two looks at a dying child, and after which its end is left to Celery's timer.
LOOK_SECONDS, GIVE_UP_SECONDS = 0.01, 5.0


def replace_soon(pool: AsynPool, hub: Any, child: Any) -> None:  # noqa: ANN401  # kombu, billiard
    """Replace `child`, which closed its pipe to us and is about to end.

    A process closes its files shortly before the system reports its end. Celery 5.7 looks once,
    as a rule in between, finds the child alive, and looks again by a timer of five seconds. Poison
    would cost those behind it that much each time.
    """
    AsynPool._event_process_exit(pool, hub, child)  # noqa: SLF001  # what Celery does itself
    give_up = time.monotonic() + GIVE_UP_SECONDS

    def look_again() -> None:
        if child in pool._pool and time.monotonic() < give_up:  # noqa: SLF001
            pool.maintain_pool()
            hub.call_later(LOOK_SECONDS, look_again)

    look_again()


class Replacement(StartStopStep):  # type: ignore[misc]  # celery is untyped
    """Puts `replace_soon` into a prefork pool; other pools have no children that die."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: WorkController) -> None:
        """Do so before the pool's pipes are watched."""
        pool = getattr(parent.pool, "_pool", None)
        if isinstance(pool, AsynPool):
            pool._event_process_exit = partial(replace_soon, pool)  # noqa: SLF001


app.steps["worker"].add(Replacement)
