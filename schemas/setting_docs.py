"""Reads the comments `#:` that say what a setting means from where it is declared."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache

from pydantic import BaseModel

#: What such a comment begins with.
SIGN = "#:"


@cache
def comments(model: type[BaseModel]) -> dict[str, str]:
    """Return each field's comment; a field without one shares that of the field before it."""
    source = textwrap.dedent(inspect.getsource(model))
    lines = source.splitlines()
    (declared,) = ast.parse(source).body
    found: dict[str, str] = {}
    last = (inspect.getdoc(model) or "").split("\n", maxsplit=1)[0]
    for node in getattr(declared, "body", ()):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = _above(lines, node.lineno - 1) or last
            found[node.target.id] = last
    return found


def _above(lines: list[str], at: int) -> str:
    """Return the comment that ends above line `at`."""
    first = at
    while first > 0 and lines[first - 1].strip().startswith(SIGN):
        first -= 1
    return " ".join(line.strip().removeprefix(SIGN).strip() for line in lines[first:at])
