"""Says what is wrong with a configuration, by the names that the file uses, never with a value."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

from schemas.setting_keys import NAME, all_keys, file_name

#: How alike two names are, at least, for one to be a slip of the other.
ALIKE = 0.6


def nearest(model: type[BaseModel], name: str) -> str:
    """Return the words that offer the key most like `name`, none where nothing is like it."""
    known = [key.name for key in all_keys(model)]
    return _offer(name, {*known, *(part for key in known for part in _tables(key))})


def problems(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Return what is wrong, a line each."""
    return [
        unknown(model, file_name(model, item["loc"]))
        if item["type"] == "extra_forbidden"
        else f"{file_name(model, item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_url=False)
    ]


def unknown(model: type[BaseModel], name: str) -> str:
    """Return the words that refuse an unknown key."""
    return f"unknown key {name}{nearest(model, name)}"


def _tables(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts)))


def _offer(name: str, known: Iterable[str]) -> str:
    parts = name.split(".")
    # A pool's name, which the user chose, is no slip of `NAME`.
    chosen = {
        ".".join(
            mine if theirs == NAME else theirs
            for mine, theirs in zip([*parts, *[NAME] * 9], key.split("."), strict=False)
        )
        for key in known
    }
    close = get_close_matches(name, sorted(chosen - {name}), n=1, cutoff=ALIKE)
    return f"; did you mean {close[0]}?" if close else ""
