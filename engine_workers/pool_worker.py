"""The program of a pool's first process, a Celery worker: `python -m … OPTIONS` in JSON.

Celery's own command line does the same, but imports the plug-ins of all its commands first. What
it lacks is a tie to the supervisor: a pipe says that the pool is ready, that it lives, and, by
breaking, that the supervisor is dead.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

from engine_workers.pools import WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names the end of the pipe to the supervisor that is ours to write to.
TIE_VARIABLE = "CHORDSCRIBE_POOL_TIE"
#: What is written there.
READY, ALIVE = b"R", b"."
#: Seconds between two signs of life.
SIGN_SECONDS = 1.0
#: Seconds beyond its grace after which an abandoned worker ends by force.
MARGIN_SECONDS = 10.0


class Tie:
    """Our end of the pipe to the supervisor."""

    def __init__(self, handle: int) -> None:
        """Take the pipe; no process that we start inherits it."""
        os.set_inheritable(handle, False)  # noqa: FBT003  # its only form
        os.set_blocking(handle, False)  # likewise
        self._handle = handle

    def watch(self, grace_seconds: float) -> None:
        """Give signs of life in the background until the supervisor is dead; then end in order."""
        thread = threading.Thread(target=self._run, args=(grace_seconds,), daemon=True)
        thread.start()

    def say(self, what: bytes) -> bool:
        """Write; return whether there is a supervisor."""
        try:
            os.write(self._handle, what)
        except BlockingIOError:
            return True  # it is busy
        except OSError:
            return False
        return True

    def _run(self, grace_seconds: float) -> None:
        while self.say(ALIVE):
            time.sleep(SIGN_SECONDS)
        os.kill(os.getpid(), signal.SIGQUIT)  # Celery's soft shutdown: runs have their grace
        time.sleep(grace_seconds + MARGIN_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)  # its children end with it


def tie_of(environ: Mapping[str, str]) -> Tie | None:
    """Return the tie to the supervisor, if one started this process."""
    handle = environ.get(TIE_VARIABLE)
    return Tie(int(handle)) if handle else None


def main() -> int:
    """Work until told to stop; return the exit code."""
    options = WorkerOptions.from_json(sys.argv[1])
    tie = tie_of(os.environ)
    # What is imported stays: to look for garbage among it takes time, and would unshare the
    # memory that the pool's children share with us.
    gc.disable()
    from celery.bootsteps import StartStopStep  # noqa: PLC0415  # not before the tie

    app = import_module(options.app).app

    class Ready(StartStopStep):  # type: ignore[misc]  # celery is untyped
        """Says that the children are there; the broker may still be away."""

        requires = ("celery.worker.components:Pool",)

        def start(self, parent: object) -> None:
            """Say so."""
            del parent
            if tie is not None:
                tie.say(READY)

    app.steps["worker"].add(Ready)
    app.conf.worker_pool_start_method = options.start_method
    if tie is not None:
        tie.watch(float(app.conf.worker_soft_shutdown_timeout))
    worker = app.Worker(
        hostname=options.hostname,
        queues=",".join(options.queues),
        pool_cls="prefork",
        concurrency=options.concurrency,
        max_tasks_per_child=options.max_tasks_per_child,
        max_memory_per_child=options.max_memory_per_child,
        task_events=True,
        without_gossip=True,
        without_mingle=True,
        loglevel="INFO",
    )
    gc.freeze()
    gc.enable()
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
