"""Finds what stands in for a configuration file that is wrong."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from schemas.errors import ConfigurationError
from schemas.kept_files import newest_kept
from schemas.setting_sources import bytes_of, config_file, reads_the_file

log = logging.getLogger("chordscribe.configuration")


@dataclass(frozen=True)
class StandIn:
    """The last good version of a file."""

    number: int
    at: datetime
    document: Mapping[str, Any]


def stand_in() -> StandIn | None:
    """Return the last good version; None: there is none, or the file is that version."""
    if not reads_the_file():
        return None
    file = config_file()
    kept = newest_kept(file)
    if kept is None or _bytes(file) == kept.text.encode():
        return None
    return StandIn(kept.number, kept.at, tomllib.loads(kept.text))


def check_not_emptied() -> None:
    """Make sure that the file is not empty where its last good version was not.

    That is what a machine leaves that lost its power as the file was written.

    Raises:
        ConfigurationError: it is.
    """
    if not reads_the_file():
        return
    file = config_file()
    data = _bytes(file)
    if data is None or data.strip():
        return
    kept = newest_kept(file)
    if kept is not None and kept.text.strip():
        message = f"{file} is empty; `chordscribe config reset` makes one without settings"
        raise ConfigurationError(message)


@cache
def tell_once(message: str) -> None:
    """Say loudly what this process does about a file that is wrong, not at each reading."""
    log.error(message)


def _bytes(file: Path) -> bytes | None:
    try:
        return bytes_of(file)
    except ConfigurationError:
        return None
