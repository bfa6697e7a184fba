"""Keeps files and functions small: `python -m tests.tools.sizes`."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: The repository.
ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("schemas", "coordinator", "engine_workers", "aggregation", "ops")
#: Files whose functions are lists of statements by nature.
MIGRATIONS = Path("ops/migrations/versions")

#: The most non-blank lines of a product's file: of the middle one, of nine in ten, of any.
MEDIAN_LINES = 90
NINETIETH_LINES = 200
MAX_LINES = 300
#: The most non-blank lines of a file of tests.
MAX_TEST_LINES = 400
#: The most lines of a function's body, its docstring not counted.
MAX_BODY_LINES = 40


@dataclass(frozen=True)
class Size:
    """How long a file is."""

    path: Path
    #: Lines that are not blank.
    lines: int


def sizes(root: Path, *folders: str) -> list[Size]:
    """Return the Python files below `folders`, the longest first."""
    found = [
        Size(path.relative_to(root), sum(1 for line in _read(path).splitlines() if line.strip()))
        for folder in folders
        for path in (root / folder).rglob("*.py")
    ]
    return sorted(found, key=lambda size: (-size.lines, size.path))


def file_faults(product: list[Size], tests: list[Size]) -> Iterator[str]:
    """Say which files break the budget; both lists begin with the longest."""
    for files, limit in ((product, MAX_LINES), (tests, MAX_TEST_LINES)):
        for size in files:
            if size.lines > limit:
                yield f"{size.path}: {size.lines} lines, at most {limit}"
    if not product:
        return
    # The nearest rank: nine in ten files are no longer than this one.
    ninetieth = product[len(product) // 10]
    if ninetieth.lines > NINETIETH_LINES:
        yield f"90th percentile: {ninetieth.lines} lines, at most {NINETIETH_LINES}; the longest:"
        yield from (f"  {size.path}: {size.lines}" for size in product[: len(product) // 10 + 1])
    median = statistics.median(size.lines for size in product)
    if median > MEDIAN_LINES:
        yield f"the median is {median:g} lines, at most {MEDIAN_LINES}: more, smaller files are due"


def function_faults(root: Path, paths: list[Path]) -> Iterator[str]:
    """Say which functions of `paths`, relative to `root`, have a body that is too long."""
    for path in paths:
        if MIGRATIONS in path.parents:
            continue
        for node in ast.walk(ast.parse(_read(root / path), str(path))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            length = _body_lines(node)
            if length > MAX_BODY_LINES:
                where = f"{path}:{node.lineno}: {node.name}"
                yield f"{where}: {length} lines of body, at most {MAX_BODY_LINES}"


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> int:
    """Print what breaks the budget; return the exit code."""
    product, tests = sizes(ROOT, *PRODUCT), sizes(ROOT, "tests")
    faults = [
        *file_faults(product, tests),
        *function_faults(ROOT, [size.path for size in product + tests]),
    ]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
