"""Finds the recordings that folders, globs, prefixes of buckets hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import BadSourceError
from coordinator.sources.shown import shown

if TYPE_CHECKING:
    from schemas.settings import SourceSettings

#: What is taken from a folder when no pattern is given: the usual names of audio and video files.
MEDIA_PATTERNS = tuple(
    f"*.{suffix}"
    for suffix in (
        *("3gp", "aac", "aif", "aiff", "amr", "avi", "caf", "flac", "m4a", "m4b", "mka", "mkv"),
        *("mov", "mp2", "mp3", "mp4", "mpeg", "mpg", "oga", "ogg", "opus", "ts", "wav", "webm"),
        *("wma", "wmv"),
    )
)
#: What makes a path, or an object's key, a pattern.
MAGIC = frozenset("*?[")
OBJECT_STORES = ("s3://", "gs://", "az://")


@dataclass(frozen=True, slots=True)
class Folders:
    """What is taken from folders."""

    #: Whether the folders in them are looked through too.
    recursive: bool = False
    #: Patterns of names, or of paths below the folder where they hold a `/`; capitals count as
    #: small letters. None: everything that is called like audio or video.
    include: tuple[str, ...] = ()

    def wants(self, path: str) -> bool:
        """Return whether a file is taken, by its path below the folder."""
        lower = path.lower()
        name = lower.rpartition("/")[2]
        return any(
            fnmatchcase(lower if "/" in pattern else name, pattern.lower())
            for pattern in self.include or MEDIA_PATTERNS
        )


def is_many(source: str) -> bool:
    """Return whether a source may stand for more than one recording."""
    if source.lower().startswith(OBJECT_STORES):
        return source.endswith("/") or bool(MAGIC & set(source))
    if "://" in source or "\0" in source:
        return False
    return Path(source).is_dir() or (bool(MAGIC & set(source)) and not os.path.lexists(source))


def expand(sources: Iterable[str], folders: Folders, rules: SourceSettings) -> Iterator[str]:
    """Yield every recording that the sources stand for, in order of their names, as found.

    Hidden files are left out, links to folders are not followed.

    Raises:
        BadSourceError: a folder or a bucket cannot be read, or a pattern finds nothing.
    """
    for source in sources:
        if not is_many(source):
            yield source
        elif source.lower().startswith(OBJECT_STORES):
            yield from _objects(source, folders, rules)
        elif Path(source).is_dir():
            yield from _files(source, "", folders)
        else:
            yield from _matches(source, folders)


def _matches(pattern: str, folders: Folders) -> Iterator[str]:
    named = Path(pattern)
    root = Path(named.anchor or ".")
    asked = {part for part in named.parts if part.startswith(".")}
    try:
        found = sorted(root.glob(str(named.relative_to(named.anchor))))
    except ValueError as error:
        message = f"{shown(pattern)} is no pattern: {error}"
        raise BadSourceError(message) from error
    for path in found:
        if any(part.startswith(".") and part not in asked for part in path.parts):
            continue
        if not path.is_dir():
            yield str(path)
        elif folders.recursive:
            yield from _files(str(path), "", folders)
    if not found:
        message = f"{shown(pattern)} matches nothing"
        raise BadSourceError(message)


def _files(folder: str, below: str, folders: Folders) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        message = f"the folder {shown(folder)} cannot be read: {error.strerror}"
        raise BadSourceError(message) from error
    for entry in found:
        if entry.name.startswith("."):
            continue
        path = f"{below}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if folders.recursive:
                yield from _files(entry.path, f"{path}/", folders)
        elif folders.wants(path) and entry.is_file():
            yield entry.path


def _objects(source: str, folders: Folders, rules: SourceSettings) -> Iterator[str]:
    """Yield the objects below a prefix that ends in `/`, or those that match a pattern."""
    from coordinator.sources import clouds  # noqa: PLC0415  # seldom needed, long to import
    from coordinator.sources.reference import read_reference  # noqa: PLC0415

    scheme, _, rest = source.partition("://")
    bucket, _, prefix = rest.partition("/")
    probe = f"{scheme}://{bucket}/{prefix.rstrip('/') or 'x'}"
    with clouds.told(read_reference(probe, rules)):
        system = clouds.file_system(scheme.lower())
        if MAGIC & set(rest):
            keys = [key for key in system.glob(rest) if not key.endswith("/")]
        else:
            keys = system.find(rest, maxdepth=None if folders.recursive else 1)
            base = Path(rest)
            keys = [key for key in keys if folders.wants(str(Path(key).relative_to(base)))]
    yield from (f"{scheme.lower()}://{key}" for key in sorted(keys))
