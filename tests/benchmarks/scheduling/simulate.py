"""Lets simulated workers do what the real admission gives them, in virtual time."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.benchmarks.scheduling.load import ENGINES, WEIGHTS, Task
from tests.benchmarks.scheduling.virtual import RETRY_SECONDS, End, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from schemas.database import Database
    from schemas.settings import SchedulingSettings


@dataclass(frozen=True)
class Plan:
    """How a simulation goes."""

    workers: int
    #: Seconds from an end to the coordinator's next look: ends within them are seen together.
    reaction: float = 0.25
    #: One run of so many is cut off half way, then tried again; 0: none.
    fail_every: int = 0
    #: Virtual seconds after which it is broken off; None: when all has ended.
    horizon: float | None = None
    #: Broken off after so many looks of the coordinator.
    looks: int | None = None

    def slots(self) -> dict[str, int]:
        """Return the workers by engine, so that each has as long to do as the others."""
        whole = sum(ENGINES.values())
        return {e: max(1, round(self.workers * rtf / whole)) for e, rtf in ENGINES.items()}


@dataclass
class Outcome:
    """What a simulation showed."""

    tasks: Sequence[Task]
    slots: Mapping[str, int]
    #: Real seconds of each admission that gave something away.
    admissions: list[float] = field(default_factory=list)
    #: Slot-seconds worked, and those that passed while a run waited for the engine.
    busy: dict[str, float] = field(default_factory=dict)
    possible: dict[str, float] = field(default_factory=dict)
    end: float = 0.0


@dataclass
class _Engine:
    """An engine's workers: a first-in-first-out queue, as the broker is, and slots."""

    slots: int
    queue: deque[Task] = field(default_factory=deque)
    running: int = 0
    #: Runs that could begin, with the broker or in the ledger.
    left: int = 0


class Simulation:
    """One run through a load."""

    def __init__(
        self, database: Database, rules: SchedulingSettings, tasks: Sequence[Task], plan: Plan
    ) -> None:
        """Submit the load."""
        self._plan, self._tasks = plan, tasks
        self._by_id: dict[UUID, Task] = {task.id: task for task in tasks}
        self._engines = {name: _Engine(count) for name, count in plan.slots().items()}
        for task in tasks:
            self._engines[task.engine].left += 1
        self._ledger = Ledger(database, rules)
        self._ledger.fill(tasks, plan.slots(), WEIGHTS)
        self._dice = random.Random(7)
        #: What ends when; None: a run that failed may begin again.
        self._events: list[tuple[float, int, str, End | None]] = []
        self._number = itertools.count()
        self._now = 0.0
        self._outcome = Outcome(tasks, plan.slots())
        for name in self._engines:
            self._outcome.busy[name] = self._outcome.possible[name] = 0.0

    def run(self) -> Outcome:
        """Go on until all has ended, or the plan breaks it off."""
        ended: list[End] = []
        looks = itertools.count(1)
        while self._plan.horizon is None or self._now < self._plan.horizon:
            given, took = self._ledger.tick(self._now, ended)
            if given:
                self._outcome.admissions.append(took)
            self._begin(self._by_id[one] for one in given)
            if not self._events or next(looks) == self._plan.looks:
                break
            ended = self._until(max(self._events[0][0], self._now) + self._plan.reaction)
        self._outcome.end = self._now
        return self._outcome

    def _begin(self, given: Iterable[Task]) -> None:
        for task in given:
            self._engines[task.engine].queue.append(task)
        for engine in self._engines.values():
            self._work(engine)

    def _until(self, moment: float) -> list[End]:
        """Let time pass; return what ended."""
        ended: list[End] = []
        while self._events and self._events[0][0] <= moment:
            at, _, name, end = heapq.heappop(self._events)
            self._pass(at)
            engine = self._engines[name]
            if end is None:
                engine.left += 1
                continue
            engine.running -= 1
            if end.ok:
                end.task.ended = at
            else:
                self._plan_event(at + RETRY_SECONDS, name, None)
            ended.append(end)
            self._work(engine)
        self._pass(moment)
        return ended

    def _work(self, engine: _Engine) -> None:
        while engine.queue and engine.running < engine.slots:
            task = engine.queue.popleft()
            engine.running += 1
            engine.left -= 1
            if task.started is None:
                task.started = self._now
            every = self._plan.fail_every
            ok = not (every and self._dice.randrange(every) == 0)
            took = task.length if ok else task.length / 2
            self._plan_event(self._now + took, task.engine, End(task, ok, took))

    def _plan_event(self, at: float, engine: str, end: End | None) -> None:
        heapq.heappush(self._events, (at, next(self._number), engine, end))

    def _pass(self, moment: float) -> None:
        """Account for the time until `moment`, within which nothing changes."""
        for name, engine in self._engines.items():
            span = moment - self._now
            if engine.left:
                self._outcome.possible[name] += span * engine.slots
                self._outcome.busy[name] += span * engine.running
        self._now = moment
