"""Finds out whether this machine can do the whole job, and what to mend when it cannot."""

from __future__ import annotations

import math
import platform
import shutil
import struct
import tempfile
import wave
from enum import StrEnum
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.catalogue import known_engines
from coordinator.client import Client
from schemas.base import Contract
from schemas.errors import ChordscribeError
from schemas.jobs import JobState
from schemas.logs import redact
from schemas.media_store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemas.settings import Settings

#: Our distribution and the top-level packages that it must own alone.
DISTRIBUTION = "chordscribe"
PACKAGES = ("schemas", "coordinator", "engine_workers", "aggregation", "ops")
#: Free space below which the data directory is worth a warning, in bytes.
LOW_DISK_BYTES = 2 * 10**9
#: Seconds that the trial job may take.
TRIAL_SECONDS = 60.0
#: The trial recording: its sample rate in hertz and the pitch of its one-second tone.
TONE_RATE, TONE_HERTZ = 16_000, 440


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(Contract):
    """One thing that was looked at."""

    name: str
    level: Level
    message: str


def examine(settings: Settings, on_status: Callable[[str], None]) -> Iterator[Check]:
    """Yield the checks as they come out; the last one runs a job through the whole system."""
    yield Check(name="python", level=Level.OK, message=platform.python_version())
    yield from _packages()
    yield _disk(settings)
    yield from _engines(settings)
    yield from _system(settings, on_status)


def _packages() -> Iterator[Check]:
    owners = packages_distributions()
    for package in PACKAGES:
        others = sorted({name for name in owners.get(package, ()) if name != DISTRIBUTION})
        if others:
            message = (
                f"the package '{package}' also comes with {', '.join(others)}: "
                "install Chordscribe into an environment of its own"
            )
            yield Check(name="packages", level=Level.WARNING, message=message)


def _disk(settings: Settings) -> Check:
    folder = open_store(settings).incoming
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    level = Level.WARNING if free < LOW_DISK_BYTES else Level.OK
    return Check(name="disk", level=level, message=f"{free / 1e9:.1f} GB free at {folder}")


def _engines(settings: Settings) -> Iterator[Check]:
    known = known_engines(settings)
    if known is None:
        message = "no engine package here: this machine can submit, not work"
        yield Check(name="engines", level=Level.WARNING, message=message)
    for status in known or ():
        level = Level.WARNING if status.problem else Level.OK
        message = status.problem or status.model or "ready"
        yield Check(name=f"engine {status.name}", level=level, message=message)


def _system(settings: Settings, on_status: Callable[[str], None]) -> Iterator[Check]:
    try:
        with Client(settings, on_status=on_status) as client:
            database = client.settings.database_url
            where = redact(database.get_secret_value()) if database else ""
            client.database.check_schema(newer=False)
            yield Check(name="ledger", level=Level.OK, message=where)
            yield _trial(client)
    except ChordscribeError as error:
        yield Check(name="system", level=Level.FAILED, message=str(error))


def _trial(client: Client) -> Check:
    """Send one second of tone through the ledger, the broker, a worker and the aggregation."""
    with tempfile.TemporaryDirectory() as folder:
        tone = Path(folder) / "tone.wav"
        _write_tone(tone)
        job = client.submit(tone, engines=["fake"])
    ended = client.wait(job.id, timeout=TRIAL_SECONDS)
    took = ((ended.finished_at or ended.created_at) - ended.created_at).total_seconds()
    if ended.state is JobState.COMPLETED:
        message = f"submitted, worked on, compared and stored in {took:.2f} s"
        return Check(name="trial job", level=Level.OK, message=message)
    why = ended.failure.message if ended.failure else "no reason given"
    return Check(name="trial job", level=Level.FAILED, message=f"{ended.state}: {why}")


def _write_tone(path: Path) -> None:
    samples = (
        int(8_000 * math.sin(2 * math.pi * TONE_HERTZ * n / TONE_RATE)) for n in range(TONE_RATE)
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(TONE_RATE)
        file.writeframes(struct.pack(f"<{TONE_RATE}h", *samples))
