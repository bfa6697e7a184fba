"""Where commands write, and in which format."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

from rich.console import Console

from schemas.errors import UsageError
from schemas.names import GROUP_EXPORTERS
from schemas.report import Report


def console() -> Console:
    """Return the console of standard output."""
    return Console(highlight=False, emoji=False)


def rendered(report: Report, kind: str) -> str:
    """Return the report as a file of a format.

    Raises:
        UsageError: no installed package writes it.
    """
    for point in entry_points(group=GROUP_EXPORTERS, name=kind):
        text: str = point.load()(report)
        return text
    known = ", ".join(sorted(point.name for point in entry_points(group=GROUP_EXPORTERS)))
    message = f"no format '{kind}': there are {known}"
    raise UsageError(message)


def write(text: str, output: Path | None) -> None:
    """Write to a file, or to standard output as it is.

    Raises:
        UsageError: the file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"'{output}' cannot be written: {error.strerror}"
        raise UsageError(message) from error
