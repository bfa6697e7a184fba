"""Lists what settings are, key by key, with the source of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from schemas.setting_keys import NAME, Key, all_keys, file_name
from schemas.setting_sources import layers

#: The source of what nobody set.
DEFAULT: Final = "default"
_ABSENT: Final = object()


@dataclass(frozen=True)
class Value:
    """What one key is."""

    #: As in the file, a pool's own name in the place of `NAME`.
    name: str
    path: tuple[str, ...]
    key: Key
    value: object
    #: `command line`, `environment`, `.env`, `file` or `default`.
    source: str


def values(settings: BaseSettings) -> tuple[Value, ...]:
    """Return all values in the order of the keys.

    Raises:
        ConfigurationError: the file, which is read for the sources, cannot be.
    """
    model = type(settings)
    said = layers(model)
    return tuple(
        Value(file_name(model, path), path, key, value, _source(said, path))
        for key in all_keys(model)
        for path, value in _expanded(settings, key.path)
    )


def expanded(settings: BaseSettings) -> Iterator[tuple[str, Key, object]]:
    """Yield each value with its name and its key, in the order of the keys."""
    model = type(settings)
    for key in all_keys(model):
        for path, value in _expanded(settings, key.path):
            yield file_name(model, path), key, value


def _expanded(owner: object, template: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Return what a key's attributes lead to, one for each chosen name."""
    if not template:
        yield (), owner
        return
    head, rest = template[0], template[1:]
    if head == NAME:
        found = dict(owner) if isinstance(owner, Mapping) else {}
    else:
        found = {head: getattr(owner, head)} if isinstance(owner, BaseModel) else {}
    for name, inner in found.items():
        for path, value in _expanded(inner, rest):
            yield (name, *path), value


def _source(said: Mapping[str, Mapping[str, Any]], path: tuple[str, ...]) -> str:
    for source, fields in said.items():
        if at(fields, path) is not _ABSENT:
            return source
    return DEFAULT


def at(fields: object, path: tuple[str, ...]) -> object:
    """Return what a nested table, or a section of settings, has at `path`."""
    found = fields
    for part in path:
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, BaseModel) and part in found.model_fields_set:
            found = getattr(found, part)
        else:
            return _ABSENT
    return found
