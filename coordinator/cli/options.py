"""Reads the values that several commands take in the same way."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from coordinator.asking import Scheduling, read_deadline
from coordinator.errors import BadRequestError
from schemas.audio import Channels
from schemas.scheduling import DEFAULT_OWNER, DeadlinePolicy, FailedDependency, Priority

PriorityOption = Annotated[
    Priority, typer.Option("--priority", "-p", help="How urgent it is, against other jobs.")
]
OwnerOption = Annotated[str, typer.Option("--owner", help="Whose share and quota it counts for.")]
DeadlineOption = Annotated[
    str | None,
    typer.Option("--deadline", help="When it shall have ended: 90m, 2h, 2026-11-24T18:00+01:00."),
]
PolicyOption = Annotated[
    DeadlinePolicy, typer.Option("--deadline-policy", help="What if that cannot be kept.")
]

AfterOption = Annotated[
    list[str] | None, typer.Option("--after", help="A job that has to end first, repeatable.")
]
AfterBatchOption = Annotated[
    list[UUID] | None,
    typer.Option("--after-batch", help="A batch that has to end first, repeatable."),
]
FailedDependencyOption = Annotated[
    FailedDependency, typer.Option("--on-failed-dependency", help="What if one of them fails.")
]

NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Let engines listen again to what they heard before.")
]


ChannelsOption = Annotated[
    Channels, typer.Option("--channels", help="split: hear each channel apart, as one speaker.")
]


class Format(StrEnum):
    """The files that a result can be written as."""

    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


def engine_names(text: str | None) -> tuple[str, ...]:
    """Split `a,b` into names; None or nothing gives none."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def engine_options(pairs: list[str]) -> dict[str, dict[str, object]]:
    """Turn `engine.option=value` pairs into options by engine.

    Numbers and `true`, `false`, `none` are read as such, all else as text.

    Raises:
        BadRequestError: a pair has another form.
    """
    options: dict[str, dict[str, object]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        engine, dot, option = key.partition(".")
        if not (equals and dot and engine and option):
            message = f"'{pair}' is no option: write ENGINE.OPTION=VALUE"
            raise BadRequestError(message)
        options.setdefault(engine, {})[option] = _value(value)
    return options


def scheduling(
    priority: Priority = Priority.NORMAL,
    owner: str = DEFAULT_OWNER,
    deadline: str | None = None,
    policy: DeadlinePolicy = DeadlinePolicy.BEST_EFFORT,
) -> Scheduling:
    """Put together what the options ask for.

    Raises:
        BadRequestError: the deadline cannot be read.
    """
    return Scheduling(
        priority=priority,
        owner=owner,
        deadline=read_deadline(deadline),
        deadline_policy=policy,
    )


def _value(text: str) -> object:
    words: dict[str, object] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
