"""Decides what is to be done with a pool, from what is wanted of it to what it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What the supervisor does next."""

    NOTHING = "nothing"
    START = "start"
    #: Have it take nothing more, and end when its runs have.
    DRAIN = "drain"
    #: End it by force: its time to end in is over.
    KILL = "kill"
    #: End it by force: it does not start, or has fallen silent. That is a crash.
    GIVE_UP = "give_up"


@dataclass(frozen=True)
class Seen:
    """A pool as it stands; all times in seconds."""

    #: Whether it shall run.
    wanted: bool
    #: Whether it may be started now: it neither waits after a crash nor was given up.
    startable: bool = True
    #: Whether it has a process.
    alive: bool = False
    #: Whether that process is as wanted: so many slots, of this generation.
    current: bool = True
    ready: bool = False
    #: Since when it runs, since when it is silent.
    age: float = 0.0
    silence: float = 0.0
    #: Since when it is told to end, and how long it may take; None: it is not.
    ending: float | None = None
    patience: float = 0.0


@dataclass(frozen=True)
class Limits:
    """How long a process may take to start, and be silent, in seconds."""

    start: float
    silence: float


def next_step(seen: Seen, limits: Limits) -> Step:
    """Return what to do now."""
    if not seen.alive:
        return Step.START if seen.wanted and seen.startable else Step.NOTHING
    if seen.ending is not None:
        return Step.KILL if seen.ending > seen.patience else Step.NOTHING
    if not seen.wanted or not seen.current:
        return Step.DRAIN
    if seen.silence > limits.silence or (not seen.ready and seen.age > limits.start):
        return Step.GIVE_UP
    return Step.NOTHING
