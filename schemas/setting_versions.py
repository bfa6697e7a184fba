"""Brings configuration files of older versions to today's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from schemas.errors import ConfigurationError
from schemas.setting_keys import places

#: The key that says for which version of the file's form it was written.
VERSION_KEY: Final = "version"
#: Today's; files of version 1 had no such key, their tables stood in no category.
VERSION: Final = 2


def version_of(document: Mapping[str, Any]) -> int:
    """Return the version that a file says it has.

    Raises:
        ConfigurationError: it is none, or one of the future.
    """
    said = document.get(VERSION_KEY, 1)
    if not isinstance(said, int) or isinstance(said, bool) or said < 1:
        message = f"{VERSION_KEY} has to be a number from 1 to {VERSION}"
        raise ConfigurationError(message)
    if said > VERSION:
        message = (
            f"the file has version {said}, newer than this program's {VERSION}: "
            "update Chordscribe on this machine"
        )
        raise ConfigurationError(message)
    return said


def moved(model: type[BaseModel], document: Mapping[str, Any]) -> dict[str, str]:
    """Return what a file of version 1 has elsewhere today: old name → new name."""
    return {
        field: ".".join(stands)
        for field, stands in places(model).items()
        if len(stands) > 1 and field in document
    }


def flatten(model: type[BaseModel], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's values by the fields of the settings; unknown names stay as they are.

    Raises:
        ConfigurationError: the version is wrong, or a name is one of an older version.
    """
    old = moved(model, document)
    if old and version_of(document) > 1:
        what = "; ".join(f"{name} is {now} since version 2" for name, now in old.items())
        raise ConfigurationError(what)
    version_of(document)
    flat = {name: value for name, value in document.items() if name != VERSION_KEY}
    for field, stands in places(model).items():
        if len(stands) == 1 or not isinstance(table := flat.get(stands[0]), Mapping):
            continue
        rest = dict(table)
        if field in rest:
            flat[field] = rest.pop(field)
        flat[stands[0]] = rest
        if not rest:
            del flat[stands[0]]
    return flat
