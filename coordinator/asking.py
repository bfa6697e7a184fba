"""Checks how a submitter wants a job scheduled."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from pydantic import ValidationError

from coordinator.errors import BadRequestError
from schemas.scheduling import DeadlinePolicy, FailedDependency, Priority, Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

#: Seconds by the letter behind a number.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Scheduling(TypedDict, total=False):
    """How a job shall be scheduled; what is left out is usual."""

    #: How urgent it is.
    priority: Priority | str
    #: Whose share and quota it counts against.
    owner: str
    #: When it shall have ended: a time with its zone, or so long from now.
    deadline: datetime | timedelta | None
    #: What is done when that cannot be kept.
    deadline_policy: DeadlinePolicy | str
    #: The jobs that have to end first, of the same owner.
    after: Sequence[UUID]
    #: The batches whose jobs have to end first, all of the same owner; they take no more jobs then.
    after_batches: Sequence[UUID]
    #: What is done when one of those fails or is cancelled.
    on_failed_dependency: FailedDependency | str


def make_schedule(asked: Scheduling) -> Schedule:
    """Check what was asked.

    Raises:
        BadRequestError: a part of it is wrong; the message names the part.
    """
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    deadline = given.get("deadline")
    if isinstance(deadline, timedelta):
        given["deadline"] = _from_now(deadline)
    for name in ("after", "after_batches"):
        if name in given:
            given[name] = tuple(dict.fromkeys(given[name]))
    try:
        return Schedule.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        shown = repr(first["input"])[:80]
        message = f"the schedule's {where} is wrong: {first['msg']} (given: {shown})"
        raise BadRequestError(message) from None


def _from_now(wait: timedelta) -> datetime:
    try:
        return datetime.now(UTC) + wait
    except OverflowError:
        message = f"the schedule's deadline is wrong: {wait.days} days from now is no date"
        raise BadRequestError(message) from None


def read_deadline(text: str | None) -> datetime | timedelta | None:
    """Read `90m`, `2h` or a time such as `2026-11-24T18:00+01:00`.

    Raises:
        BadRequestError: it is neither.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", text.strip())
    if found:
        try:
            return timedelta(seconds=float(found[1]) * UNITS[found[2]])
        except OverflowError:
            return timedelta.max
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        message = f"'{text[:60]}' is no deadline: write 90m, 2h or 2026-11-24T18:00+01:00"
        raise BadRequestError(message) from None
