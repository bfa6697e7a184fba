"""Tells whether this worker's event loop turns, and whether it has a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.bootsteps import StartStopStep
from celery.signals import worker_process_init

from aggregation.app import app, settings
from schemas.health import HealthServer, Pulse

if TYPE_CHECKING:
    from celery.worker import WorkController

pulse = Pulse()
_servers: list[HealthServer] = []


class Served(StartStopStep):  # type: ignore[misc]  # celery is untyped
    """Serves what the event loop tells, once the children are forked."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: WorkController) -> None:
        """Begin to serve, under the worker's name."""
        name = str(parent.hostname).partition("@")[0]
        _servers.append(HealthServer(settings.health, name, pulse))

    def stop(self, parent: WorkController) -> None:
        """Serve no more."""
        del parent
        while _servers:
            _servers.pop().stop()

    terminate = stop


class Beating(StartStopStep):  # type: ignore[misc]  # celery is untyped
    """Beats while the event loop turns; it begins anew with every connection to the broker."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, parent: Any) -> None:  # noqa: ANN401  # celery's consumer
        """Begin to beat."""
        pulse.follow(parent.timer)

    def stop(self, parent: Any) -> None:  # noqa: ANN401  # likewise
        """Wait for the broker."""
        del parent
        pulse.lose()


@worker_process_init.connect  # type: ignore[untyped-decorator]  # celery is untyped
def leave(**_: object) -> None:
    """Give up in a child what its parent serves."""
    for server in _servers:
        server.leave()


app.steps["worker"].add(Served)
app.steps["consumer"].add(Beating)
