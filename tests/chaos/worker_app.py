"""The engines' app as it is, with points at which a test can interfere."""

from __future__ import annotations

import os
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from celery.worker.request import Request
from kombu.transport.redis import QoS

import engine_workers.hear
import engine_workers.media.preparer
import engine_workers.media.samples
import engine_workers.tasks
import engine_workers.work
from engine_workers.app import app
from engine_workers.heartbeat import Heartbeat
from tests.chaos.points import reach

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["app"]

#: Names a file that gets a line each time an engine begins to hear a recording.
WORKED_VARIABLE = "CHAOS_WORKED"


def _job() -> str:
    """Return the job that this process works on."""
    return str(structlog.contextvars.get_contextvars().get("job_id", ""))


def _around(function: Callable[..., Any], before: str, after: str) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever the function takes
        reach(before, _job())
        result = function(*args, **kwargs)
        reach(after, _job())
        return result

    return call


def _counted(hear: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(hear)
    def call(lease: Any, *args: Any) -> Any:  # noqa: ANN401
        handle = os.open(os.environ[WORKED_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{lease.run_id}\n".encode())
        os.close(handle)
        return hear(lease, *args)

    return call


def _mid_decode(read: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(read)
    def call(path: Path, span: object, reached: Callable[[], None]) -> Any:  # noqa: ANN401
        def at_a_frame() -> None:
            reached()
            reach("mid_decode", _job())

        return read(path, span, at_a_frame)

    return call


def _mid_prepare(prepare: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(prepare)
    def call(audio: object, settings: object, watch: Callable[..., None], tag: str) -> Any:  # noqa: ANN401
        def at_a_report(report: Any) -> None:  # noqa: ANN401
            watch(report)
            if report.seconds is not None:
                reach("mid_prepare")

        return prepare(audio, settings, at_a_report, tag)

    return call


def _mid_infer(has_heard: Callable[..., None]) -> Callable[..., None]:
    @wraps(has_heard)
    def call(heartbeat: Heartbeat, done_seconds: float) -> None:
        reach("mid_infer", _job())
        has_heard(heartbeat, done_seconds)

    return call


def _before_ack(acknowledge: Callable[..., None]) -> Callable[..., None]:
    @wraps(acknowledge)
    def call(request: Any) -> None:  # noqa: ANN401
        job = str((request.kwargs or {}).get("job_id", ""))
        reach("after_return_before_ack", job, request.worker_pid)
        acknowledge(request)

    return call


def _popped(append: Callable[..., None]) -> Callable[..., None]:
    """The message has left its queue; nothing else in the broker knows of it yet."""

    @wraps(append)
    def call(qos: QoS, message: Any, tag: str) -> None:  # noqa: ANN401
        reach("after_pop")
        append(qos, message, tag)

    return call


engine_workers.work.claim = _around(engine_workers.work.claim, "before_claim", "after_claim")
engine_workers.work.save_transcript = _around(
    engine_workers.work.save_transcript, "before_save", "after_save_before_return"
)
engine_workers.work.hear = _counted(engine_workers.hear.hear)
engine_workers.media.samples.read = _mid_decode(engine_workers.media.samples.read)
engine_workers.media.preparer.prepare = _mid_prepare(engine_workers.media.preparer.prepare)
Heartbeat.has_heard = _mid_infer(Heartbeat.has_heard)  # type: ignore[method-assign]
Request.acknowledge = _before_ack(Request.acknowledge)
QoS.append = _popped(QoS.append)  # type: ignore[method-assign]
