"""The versions of the configuration file: their story, a backup of them, the way back."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from coordinator.configuration.editing import write_file
from schemas.errors import ConfigurationError
from schemas.kept_files import Kept, all_kept, digest_of, keep
from schemas.setting_changes import Change, changes
from schemas.setting_sources import bytes_of, file_alone, reading_instead
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A version, with what it changed in the one before."""

    number: int
    at: datetime
    who: str | None
    how: str
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for `--json`, what is secret masked."""
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "who": self.who,
            "how": self.how,
            "changes": [change.told() for change in self.changes],
        }


class Backup(BaseModel):
    """What is in a backup's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Of the backup's own form.
    chordscribe_configuration: int = 1
    text: str
    digest: str
    #: The newest first.
    versions: tuple[Kept, ...]


def story(file: Path, limit: int) -> list[Entry]:
    """Return the newest versions of a file, the newest first."""
    found = all_kept(file)[: limit + 1]
    made = [_settings_of(kept.text) for kept in found]
    befores = [*made[1:], _settings_of("")]
    entries = []
    for kept, after, before in zip(found, made, befores, strict=True):
        changed = changes(before, after) if before and after else ()
        entries.append(Entry(kept.number, kept.at, kept.who, kept.how, changed))
    return entries[:limit]


def version(file: Path, number: int | None) -> Kept:
    """Return a version that can be put back; None: the newest whose text is not the file's.

    Raises:
        ConfigurationError: there is none, or this program does not understand it any more.
    """
    found = all_kept(file)
    if number is None:
        now = _text_of(file)
        chosen = next((kept for kept in found if kept.text != now), None)
    else:
        chosen = next((kept for kept in found if kept.number == number), None)
    if chosen is None:
        what = "other version" if number is None else f"version {number}"
        message = f"there is no {what} of {file}; `chordscribe config history` lists them"
        raise ConfigurationError(message)
    check_text(chosen.text)
    return chosen


def check_text(text: str) -> Settings:
    """Return the settings that a file with this text makes by itself.

    Raises:
        ConfigurationError: it is wrong.
    """
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        message = f"the configuration cannot be read: {error}"
        raise ConfigurationError(message) from None
    with file_alone(), reading_instead(document):
        return load_settings()


def make_backup(file: Path, target: Path) -> int:
    """Write a file with its versions into another; return how many those are.

    Raises:
        ConfigurationError: there is no file, or it is wrong, or the backup cannot be written.
    """
    data = bytes_of(file)
    if data is None:
        message = f"there is no file {file}"
        raise ConfigurationError(message)
    text = data.decode(errors="replace")
    check_text(text)
    made = Backup(text=text, digest=digest_of(text), versions=all_kept(file))
    write_file(target, made.model_dump_json(indent=1) + "\n")
    return len(made.versions)


def read_backup(source: Path) -> Backup:
    """Return what is in a backup, whole.

    Raises:
        ConfigurationError: it cannot be read, is damaged, or what is in it is wrong.
    """
    data = bytes_of(source)
    if data is None:
        message = f"there is no file {source}"
        raise ConfigurationError(message)
    try:
        found = Backup.model_validate_json(data)
    except ValidationError:
        message = f"{source} is no backup of a configuration"
        raise ConfigurationError(message) from None
    whole = all(kept.is_whole() for kept in found.versions)
    if digest_of(found.text) != found.digest or not whole:
        message = f"{source} is damaged: its parts have other checksums than it says"
        raise ConfigurationError(message)
    check_text(found.text)
    return found


def take_versions(file: Path, found: Backup) -> None:
    """Keep a backup's versions, where there are none of the file."""
    if not all_kept(file):
        for kept in reversed(found.versions):
            keep(file, kept.text, kept.how, kept.who, kept.at)


def _settings_of(text: str) -> Settings | None:
    """Return what a text makes; None where this program does not understand it any more."""
    try:
        return check_text(text)
    except ConfigurationError:
        return None


def _text_of(file: Path) -> str | None:
    try:
        data = bytes_of(file)
    except ConfigurationError:
        return None
    return data.decode(errors="replace") if data is not None else None
