"""The consoles that commands write to: results on stdout, all else on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 3600


#: Columns of a table that goes into a file or a pipe.
FILE_COLUMNS = 200


def out() -> Console:
    """Return the console for results; no colour and no cut lines where it is no terminal."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console for progress and notices."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(stderr=stderr, highlight=False)
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=FILE_COLUMNS)


def status_line(console: Console) -> Callable[[str], None]:
    """Return a function that shows a line of what is being done, on a terminal alone."""

    def show(text: str) -> None:
        if console.is_terminal:
            console.print(f"[dim]{text}[/dim]")

    return show


def print_json(value: BaseModel | dict[str, object] | list[object]) -> None:
    """Write one JSON document to stdout."""
    if isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False, indent=2)
    else:
        text = value.model_dump_json(indent=2)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def clock(seconds: float) -> str:
    """Write seconds as m:ss.t, or h:mm:ss.t above an hour."""
    hours, rest = divmod(max(0.0, seconds), SECONDS_PER_HOUR)
    minutes, rest = divmod(rest, SECONDS_PER_MINUTE)
    if hours:
        return f"{int(hours)}:{int(minutes):02}:{rest:04.1f}"
    return f"{int(minutes)}:{rest:04.1f}"
