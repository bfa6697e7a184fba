"""The folders that settings name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

#: Where root's data lies: root's home is closed to the user that the servers run as.
ROOT_DATA_DIR = Path("/var/lib/chordscribe")


def default_data_dir() -> Path:
    """Return this user's data directory, by the XDG rules."""
    if os.geteuid() == 0:
        return ROOT_DATA_DIR
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "chordscribe"


def _named(value: object) -> object:
    if isinstance(value, str) and (not value.strip() or "\0" in value):
        message = "a folder's name is empty, or has a NUL"
        raise ValueError(message)
    return value


#: The name of a folder.
Folder = Annotated[Path, BeforeValidator(_named)]


def used_share(folder: Path) -> float | None:
    """Return how full the disk of a folder is; None where that cannot be told."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    there = usage.used + usage.free  # without what is root's alone, as `df` has it
    return usage.used / there if there else None
