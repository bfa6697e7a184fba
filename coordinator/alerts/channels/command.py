"""Runs a program for a message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from coordinator.alerts.telling import printable
from coordinator.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.alert_settings import CommandSettings

#: Variables that the program is not given: they may hold passwords.
PRIVATE = ("CHORDSCRIBE_", "PGPASSWORD", "REDIS_PASSWORD", "FLOWER_")
#: Bytes of what it complained of that are read.
MOST_READ = 4096
#: What is given as a variable, too.
TOLD = ("news", "rule", "severity", "summary")


def run(settings: CommandSettings, body: Mapping[str, Any], number: str) -> None:
    """Run the program, the message as JSON on its standard input, without a shell.

    Raises:
        DeliveryError: it cannot be run, failed, or took too long and was killed.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(json.dumps(body).encode())
        given.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603  # the operator's own program
                settings.argv,
                stdin=given,
                stdout=said,
                stderr=said,
                env=_environment(body, number),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            message = f"the command cannot be run: {type(error).__name__}"
            raise DeliveryError(message) from error
        _await(process, settings.timeout_seconds, said)


def _await(process: subprocess.Popen[bytes], limit: float, said: IO[bytes]) -> None:
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired as error:
        message = f"the command took longer than {limit:g} s"
        raise DeliveryError(message) from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it started
        process.wait()
    if code:
        said.seek(0)
        lines = said.read(MOST_READ).decode(errors="replace").strip().splitlines() or [""]
        message = f"the command ended with {code}: {printable(lines[-1])}"
        raise DeliveryError(message)


def _environment(body: Mapping[str, Any], number: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
    told = {f"CHORDSCRIBE_ALERT_{name.upper()}": str(body[name]) for name in TOLD}
    return {**kept, **told, "CHORDSCRIBE_ALERT_ID": number}
