"""The program that opens a recording: `python -m … ORDER`, in a process that may do little else."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import Field

from schemas.audio import MediaInfo, Prepared
from schemas.base import Contract
from schemas.runs import Failure, FailureKind

#: Seconds between two looks at whether the process that wants the answer still lives.
LOOK_SECONDS = 1.0
#: Bytes of a second of uncompressed canonical sound: the file may not become larger.
BYTES_PER_SECOND = 34_000
#: The most channels that are heard apart.
MAX_APART = 8


class Order(Contract):
    """What to do, and what it may cost."""

    source: str
    target: str
    max_seconds: float
    #: Whether channels are written one after another, rather than mixed.
    by_channel: bool = False
    memory_bytes: int
    #: Seconds of the processor: at the outset, then for each second of sound.
    base_seconds: float
    per_audio_second: float


class Report(Contract):
    """A line of the answer: how far it has come, or what came of it."""

    seconds: float | None = None
    done_seconds: Annotated[float, Field(ge=0)] = 0.0
    prepared: Prepared | None = None
    failure: Failure | None = None


def main() -> None:
    """Do what the order says, write reports to stdout, a line each; the last has the outcome."""
    order = Order.model_validate_json(sys.argv[1])
    threading.Thread(target=_end_with, args=(os.getppid(), Path(order.target)), daemon=True).start()
    _limit(order)
    from engine_workers.errors import RunError  # noqa: PLC0415  # the limits hold for what they load
    from engine_workers.media.making import make  # noqa: PLC0415

    found: list[MediaInfo] = []

    def probed(info: MediaInfo) -> None:
        found.append(info)
        allowed = order.base_seconds + order.per_audio_second * info.seconds
        _lower(resource.RLIMIT_CPU, int(allowed))
        _say(Report(seconds=info.seconds))

    def progress(done: float) -> None:
        _say(Report(seconds=found[0].seconds, done_seconds=done))

    try:
        answer = make(
            Path(order.source),
            Path(order.target),
            order.max_seconds,
            probed,
            progress,
            by_channel=order.by_channel,
        )
    except RunError as error:
        _say(Report(failure=error.failure))
    except MemoryError:
        _say(Report(failure=_too_much(order)))
    else:
        _say(Report(prepared=answer))


def _too_much(order: Order) -> Failure:
    message = f"decoding it takes more than {order.memory_bytes >> 20} MB of memory"
    return Failure(kind=FailureKind.BAD_MEDIA, message=message)


def _say(report: Report) -> None:
    sys.stdout.write(report.model_dump_json(exclude_defaults=True) + "\n")
    sys.stdout.flush()


def _limit(order: Order) -> None:
    """Take from this process what it does not need."""
    times = MAX_APART if order.by_channel else 1
    largest = int(order.max_seconds * BYTES_PER_SECOND) * times + (1 << 20)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, largest),
        # Not the address space: libraries reserve more of it than they ever touch.
        (resource.RLIMIT_DATA, order.memory_bytes),
    ):
        _lower(what, most, most)
    _lower(resource.RLIMIT_CPU, int(order.base_seconds))


def _lower(what: int, soft: int, hard: int = resource.RLIM_INFINITY) -> None:
    """Set a limit, within the one that this process was started with."""
    _, most = resource.getrlimit(what)
    if most != resource.RLIM_INFINITY:
        soft = min(soft, most)
        hard = most if hard == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(what, (soft, hard))


def _end_with(parent: int, unfinished: Path) -> NoReturn:
    """End when the process has died that wanted the answer."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    unfinished.unlink(missing_ok=True)
    os._exit(1)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # nobody wants the answer any more
        Path(Order.model_validate_json(sys.argv[1]).target).unlink(missing_ok=True)
        os._exit(1)
