"""Keeps every version of a configuration file that was accepted."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

#: Digits of a version's number in the name of its file.
DIGITS = 6
#: Bytes of the digest that tells folders of different files apart, in hexadecimal digits.
NAME_DIGITS = 16

log = logging.getLogger("chordscribe.configuration")


class Kept(BaseModel):
    """A version of a configuration file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    number: int
    at: datetime
    #: A user's name.
    who: str | None
    #: What made it: a command, or who saw the change.
    how: str
    #: SHA-256 of the text.
    digest: str
    text: str

    def is_whole(self) -> bool:
        """Whether the text is what was kept."""
        return digest_of(self.text) == self.digest


def digest_of(text: str) -> str:
    """Return the SHA-256 of a file with this text."""
    return hashlib.sha256(text.encode()).hexdigest()


def folder_of(file: Path) -> Path:
    """Return where the versions of a file lie: in this user's state folder, by the XDG rules.

    Not in a folder that the configuration names: it may be the part that is broken.
    """
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    name = hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:NAME_DIGITS]
    return Path(base) / "chordscribe" / "configurations" / name


def keep(
    file: Path, text: str, how: str, who: str | None, at: datetime | None = None
) -> Kept | None:
    """Keep a text as the newest version, unless it is that already; return the newest.

    Args:
        file: the configuration file.
        text: what is in it.
        how: what made it.
        who: a user's name.
        at: when it was accepted; None: now.

    Returns:
        The newest; None: it cannot be kept, which is logged.
    """
    try:
        with _locked(folder_of(file)) as folder:
            newest = next(_newest_first(folder), None)
            if newest is not None and newest.text == text:
                return newest
            number = max((_number(path) for path in _files(folder)), default=0) + 1
            made = Kept(
                number=number,
                at=at or datetime.now(UTC),
                who=who,
                how=how,
                digest=digest_of(text),
                text=text,
            )
            _write(folder / f"{number:0{DIGITS}}.json", made.model_dump_json(indent=1))
            return made
    except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home
        log.warning("the configuration is not kept for a rollback: %s", error)
        return None


def all_kept(file: Path) -> tuple[Kept, ...]:
    """Return the versions of a file that can be read, the newest first."""
    try:
        return tuple(_newest_first(folder_of(file)))
    except (OSError, RuntimeError):
        return ()


def newest_kept(file: Path) -> Kept | None:
    """Return the newest version of a file; None: there is none."""
    try:
        return next(_newest_first(folder_of(file)), None)
    except (OSError, RuntimeError):
        return None


def _newest_first(folder: Path) -> Iterator[Kept]:
    for path in sorted(_files(folder), key=_number, reverse=True):
        try:
            kept = Kept.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            kept = None
        if kept is not None and kept.is_whole():
            yield kept
        else:
            log.warning("a kept version of the configuration is damaged: %s", path)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.json") if path.stem.isdecimal()]


def _number(path: Path) -> int:
    return int(path.stem)


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Be the only one to add a version."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _write(target: Path, text: str) -> None:
    """Write a file whole or not at all; it is this user's alone, as it may hold passwords."""
    handle, part = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(part).replace(target)
    finally:
        with suppress(FileNotFoundError):
            Path(part).unlink()
