"""The aggregation's app as it is, with points before the comparison and around the commit."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import aggregation.finish
import aggregation.store
import aggregation.tasks  # its names are changed below once they are there
from aggregation.app import app
from tests.chaos.points import reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from aggregation.pipeline import Question

__all__ = ["app"]


def _then(function: Callable[..., Any], point: str, position: int) -> Callable[..., Any]:
    """Let `function` be followed by a point; the job's id is its argument at `position`."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        result = function(*args, **kwargs)
        reach(point, str(args[position]))
        return result

    return call


def _first(
    function: Callable[..., Any], point: str, job_of: Callable[..., UUID]
) -> Callable[..., Any]:
    """Let a point come before `function`; `job_of` finds the job's id in its arguments."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        reach(point, str(job_of(*args)))
        return function(*args, **kwargs)

    return call


def _asked(question: Question) -> UUID:
    return question.job_id


def _second(_connection: object, job_id: UUID, *_: object) -> UUID:
    return job_id


aggregation.finish.make_report = _first(aggregation.finish.make_report, "mid_compare", _asked)  # type: ignore[attr-defined]
# The end is one statement, which commits by itself: nothing comes between the two.
aggregation.store.end_job = _first(aggregation.store.end_job, "before_commit", _second)
aggregation.finish._end = _then(aggregation.finish._end, "after_commit", 1)  # noqa: SLF001
