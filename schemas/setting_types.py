"""Names a setting's type in a person's words."""

from __future__ import annotations

import types
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

WORDS: Final[dict[object, str]] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    IPv4Network: "network",
    IPv6Network: "IPv6 network",
    SecretStr: "text, secret",
    Any: "any",
}
SIGNS: Final = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))


def kind(annotation: Any, marks: Iterable[object] = ()) -> str:  # noqa: ANN401  # a type
    """Return the words for a type and the bounds among its marks."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(inner[0], [*inner[1:], *marks])
    if origin in {Union, types.UnionType}:
        return " or ".join("none" if it is type(None) else kind(it, marks) for it in inner)
    if origin is Literal:
        return f"one of {', '.join(str(it) for it in inner)}"
    if origin is tuple:
        return f"list of {kind(inner[0])}"
    if origin is dict:
        return f"table of {kind(inner[1])}"
    return " ".join([WORDS.get(annotation, str(annotation)), *_bounds(marks)])


def _bounds(marks: Iterable[object]) -> Iterable[str]:
    for mark in marks:
        if isinstance(mark, FieldInfo):
            yield from _bounds(mark.metadata)
        for name, sign in SIGNS:
            bound = getattr(mark, name, None)
            if bound is not None:
                yield f"{sign} {bound:g}" if bound < 1e6 else f"{sign} {bound}"  # noqa: PLR2004
