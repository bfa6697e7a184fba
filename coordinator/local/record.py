"""Keeps the stack's processes on disk, for the supervisor that follows a killed one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Recorded:
    """A process that leads its own session."""

    name: str
    pid: int
    #: From `processes.identity`.
    identity: str
    #: The number of the signal that asks it to end.
    stop_signal: int
    #: Whether others need it, so that it ends after them.
    serves: bool


def save(file: Path, processes: Iterable[Recorded]) -> None:
    """Replace the record."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps([asdict(process) for process in processes]))
    new.replace(file)


def load(file: Path) -> list[Recorded]:
    """Return the record; nothing where there is none, or it is cut off."""
    try:
        return [Recorded(**fields) for fields in json.loads(file.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []
