"""Writes results as files, by whichever packages bring exporters."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from coordinator.errors import BadRequestError, OutputError
from schemas.names import GROUP_EXPORTERS

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.report import Report


def rendered(report: Report, kind: str) -> str:
    """Return the report in the format `kind`.

    Raises:
        BadRequestError: no installed package writes that format.
    """
    points = entry_points(group=GROUP_EXPORTERS, name=kind)
    for point in points:
        return str(point.load()(report))
    known = ", ".join(sorted(point.name for point in entry_points(group=GROUP_EXPORTERS)))
    message = f"no installed package writes {kind}; there are: {known or 'none'}"
    raise BadRequestError(message)


def write_result(text: str, path: Path) -> None:
    """Write `text` to `path`, whole or not at all.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        message = f"cannot write {path}: {error.strerror}"
        raise OutputError(message) from error
