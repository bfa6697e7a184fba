"""The keys of the settings, as the configuration file names them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from schemas.setting_docs import comments
from schemas.setting_marks import Cold, Hot, In
from schemas.setting_types import kind

#: Stands for a name that the user chooses, such as a pool's.
NAME: Final = "NAME"


@dataclass(frozen=True)
class Key:
    """One setting."""

    #: As in the file: `performance.media.chunk_seconds`.
    name: str
    #: The attributes that lead to it.
    path: tuple[str, ...]
    #: Its type in a few words.
    kind: str
    default: object
    #: Whether a change takes effect in processes that run.
    hot: bool
    secret: bool
    #: What it means.
    doc: str


def place(field: str, info: FieldInfo) -> tuple[str, ...]:
    """Return where a top-level field stands in the file."""
    for mark in info.metadata:
        if isinstance(mark, In):
            return (mark.category, field)
    return (field,)


def places(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Return where each top-level field stands in the file."""
    return {field: place(field, info) for field, info in model.model_fields.items()}


def file_name(model: type[BaseModel], path: tuple[object, ...]) -> str:
    """Return what the file calls the setting that these attributes lead to."""
    if not path:
        return "the file"
    head = places(model).get(str(path[0]), (str(path[0]),))
    return ".".join((*head, *(str(part) for part in path[1:])))


def model_path(model: type[BaseModel], name: str) -> tuple[str, ...]:
    """Return the attributes that lead to what the file calls `name`."""
    parts = tuple(name.split("."))
    for field, stands in places(model).items():
        if parts[: len(stands)] == stands:
            return (field, *parts[len(stands) :])
    return parts


@cache
def all_keys(model: type[BaseModel]) -> tuple[Key, ...]:
    """Return all keys in the order of the file; a chosen name is `NAME`."""
    found = list(_walk(model, (), hot=False))
    return tuple(
        Key(
            file_name(model, path),
            path,
            _kind(info, path),
            _default(info, path),
            hot,
            _secret(info),
            doc,
        )
        for path, info, hot, doc in found
    )


def find_key(model: type[BaseModel], name: str) -> Key | None:
    """Return the key of that name, where a chosen name stands for itself; None: there is none."""
    wanted = model_path(model, name)
    for key in all_keys(model):
        if _matches(key.path, wanted):
            return key
    return None


def is_hot(model: type[BaseModel], path: tuple[str, ...]) -> bool:
    """Whether a change of what these attributes lead to takes effect in processes that run."""
    return any(key.hot for key in all_keys(model) if _matches(key.path, path))


def _matches(template: tuple[str, ...], path: tuple[str, ...]) -> bool:
    if len(path) > len(template) and template[-1] == NAME:  # an engine's option that is a table
        path = path[: len(template)]
    return len(path) == len(template) and all(
        ours in {theirs, NAME} for ours, theirs in zip(template, path, strict=True)
    )


def _walk(
    model: type[BaseModel], before: tuple[str, ...], *, hot: bool
) -> Iterator[tuple[tuple[str, ...], FieldInfo, bool, str]]:
    docs = comments(model)
    for field, info in model.model_fields.items():
        path = (*before, field)
        marks = info.metadata
        now = (hot or any(isinstance(it, Hot) for it in marks)) and not any(
            isinstance(it, Cold) for it in marks
        )
        inner, depth = _inner(info.annotation)
        path += (NAME,) * depth
        if inner is not None:
            yield from _walk(inner, path, hot=now)
        else:
            yield path, info, now, docs.get(field, "")


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, int]:  # noqa: ANN401
    """Return the model within a type, if it is one, and how many chosen names lead to it."""
    depth = 0
    while get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
        depth += 1
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, depth
    return None, depth


def _kind(info: FieldInfo, path: tuple[str, ...]) -> str:
    annotation = info.annotation
    for _ in range(path.count(NAME) if path[-1] == NAME else 0):
        annotation = get_args(annotation)[1]
    return kind(annotation, info.metadata)


def _default(info: FieldInfo, path: tuple[str, ...]) -> object:
    if path[-1] == NAME:
        return None
    if info.default_factory is not None:
        return "(this user's data folder)"
    return None if info.default is PydanticUndefined else info.default


def _secret(info: FieldInfo) -> bool:
    return "SecretStr" in str(info.annotation) or info.annotation is SecretStr
