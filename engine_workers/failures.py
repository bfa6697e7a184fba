"""Says of any exception what kind of failure it is."""

from __future__ import annotations

import re
import signal

from celery.exceptions import SoftTimeLimitExceeded

from engine_workers.errors import RunError
from schemas.runs import Failure, FailureKind

#: Characters of a failure's message: some libraries put a whole log into an exception.
MAX_MESSAGE_CHARACTERS = 1000
#: What libraries say when memory, a device's too, has run out.
_OUT_OF_MEMORY = re.compile(
    r"out[ _]of[ _]memory|cannot allocate memory|bad_?alloc|CUBLAS_STATUS_ALLOC_FAILED"
    r"|CUDNN_STATUS_ALLOC_FAILED|unable to allocate|failed to allocate memory",
    re.IGNORECASE,
)


def failure_of(error: BaseException) -> Failure:
    """Return the typed failure for whatever was raised while a run was worked on."""
    if isinstance(error, RunError):
        return Failure(kind=error.kind, message=_readable(str(error)))
    if isinstance(error, SoftTimeLimitExceeded):
        return Failure(kind=FailureKind.TIMEOUT, message="the engine took longer than it may")
    message = _readable(f"{type(error).__name__}: {error}")
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(message):
        return Failure(kind=FailureKind.OUT_OF_MEMORY, message=message)
    return Failure(kind=FailureKind.ENGINE_ERROR, message=message)


def told_to_end(error: BaseException) -> bool:
    """Return whether a signal to this process raised it, rather than an engine's `sys.exit`.

    The pool's handler of a signal exits with its number less 256, which no engine does.
    """
    if not isinstance(error, SystemExit) or not isinstance(error.code, int):
        return False
    return error.code + 256 in {signal.SIGTERM, signal.SIGQUIT, signal.SIGINT}


def _readable(text: str) -> str:
    """Return one line that any database stores: NUL and half characters are not printable."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(shown.split())
    return line if len(line) <= MAX_MESSAGE_CHARACTERS else line[: MAX_MESSAGE_CHARACTERS - 1] + "…"
