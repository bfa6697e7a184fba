"""What is needed to start one process of the stack."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.local.unprivileged import ServerUser

#: What a server gets of our environment. Not more: it may run as a user who shall not see the
#: rest, and Postgres takes options from variables.
SERVER_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


def server_env() -> dict[str, str]:
    """Return the environment to run a server's program in."""
    ours = {name: os.environ[name] for name in SERVER_VARIABLES if name in os.environ}
    return {**ours, "LC_ALL": "C"}


@dataclass(frozen=True)
class Command:
    """A program with all that it is started with."""

    #: Also the name of its log file.
    name: str
    argv: tuple[str, ...]
    #: Its whole environment; None: ours.
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    #: The user to run it as; None: ours.
    user: ServerUser | None = None
    #: Asks it to end in order.
    stop_signal: signal.Signals = field(default=signal.SIGTERM)
    #: Seconds after which it is killed when it has not ended by then.
    grace_seconds: float = 5.0
    #: Whether others need it, so that it ends after them.
    serves: bool = False
