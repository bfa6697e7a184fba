"""What a scheduler that knows everything could reach."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.benchmarks.scheduling.load import Task


def _schedule(tasks: Iterable[Task], slots: int) -> list[tuple[Task, float]]:
    """Return each task's end when the slots take them in this order."""
    free = [0.0] * slots
    ends = []
    for task in tasks:
        at = max(heapq.heappop(free), task.submitted)
        heapq.heappush(free, at + task.length)
        ends.append((task, at + task.length))
    return ends


def lpt_makespan(tasks: Sequence[Task], slots: Mapping[str, int]) -> float:
    """Return when all has ended with the longest run first, by true lengths.

    The runs are those that the scheduler has: chunks, where recordings are cut.
    R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969.
    """
    longest = 0.0
    for engine, count in slots.items():
        mine = [task for task in tasks if task.engine == engine]
        mine.sort(key=lambda task: -task.length)
        longest = max(longest, *(end for _, end in _schedule(mine, count)))
    return longest


def edf_misses(tasks: Sequence[Task], slots: Mapping[str, int]) -> int:
    """Return how many jobs with a deadline miss it when nothing but they is there.

    The earliest latest start goes first, by true lengths: clairvoyant, and without rivals. A job
    keeps its deadline when the last chunk of each engine does.
    """
    late = set()
    for engine, count in slots.items():
        mine = [(t.deadline, t) for t in tasks if t.engine == engine and t.deadline is not None]
        mine.sort(key=lambda pair: pair[0] - pair[1].length)
        ends = _schedule([task for _, task in mine], count)
        late |= {task.job_id for task, end in ends if end > (task.deadline or 0.0)}
    return len(late)


def misses(tasks: Sequence[Task]) -> int:
    """Return how many jobs with a deadline had a run that ended after it, or never."""
    return len(
        {
            task.job_id
            for task in tasks
            if task.deadline is not None and (task.ended is None or task.ended > task.deadline)
        }
    )
