"""A Celery worker's program for the embedded stack: `python -m … APP NAME QUEUE SECONDS`.

Celery's own command line does the same, but imports the plug-ins of all its commands first, Flower
and a shell among them: a quarter of the processor's time until a worker is ready.
"""

from __future__ import annotations

import gc
import sys
import time
from importlib import import_module


def main() -> int:
    """Wait, then work until told to stop; return the exit code."""
    module, name, queue, seconds = sys.argv[1:]
    time.sleep(float(seconds))
    # What is imported stays: to look for garbage among it takes time, and would unshare the
    # memory that the pool's children share with us.
    gc.disable()
    from celery.utils.nodenames import host_format  # noqa: PLC0415  # not before the wait

    worker = import_module(module).app.Worker(
        hostname=host_format(f"{name}@%h"),
        queues=queue,
        pool_cls="prefork",
        concurrency=1,
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
