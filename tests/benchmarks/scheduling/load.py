"""Random jobs of mixed lengths, owners, priorities, deadlines."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from coordinator.estimates import DEFAULT_RTF
from schemas.settings import MediaSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Engine-seconds for a second of audio.
ENGINES = {"fast": 0.05, "middle": 0.15, "slow": 0.4}
#: Weights of the five owners.
WEIGHTS = {f"owner-{number}": float(number) for number in range(1, 6)}
#: How many jobs of a hundred have each `Priority.rank`.
MIX = (2, 13, 35, 50)
#: Recordings: the median length in seconds, the spread of its logarithm, the least, the most.
MEDIAN_SECONDS, SPREAD, SHORTEST, LONGEST = 300.0, 1.2, 10.0, 3 * 3600.0


#: The longest chunk of a recording, in seconds.
CHUNK_SECONDS = MediaSettings().chunk_seconds


@dataclass(slots=True)
class Task:
    """One run, as the simulation knows it and the scheduler does not."""

    id: UUID
    job_id: UUID
    engine: str
    owner: str
    priority: int
    submitted: float
    #: Which part of the recording it is, from 0; of how many.
    chunk: int
    chunks: int
    #: Seconds of audio in that part.
    audio: float
    #: Seconds that it really takes.
    length: float
    #: Seconds that it is expected to take, with nothing measured yet.
    cost: float
    deadline: float | None = None
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True)
class Kind:
    """What a load is made of."""

    jobs: int
    mix: tuple[int, ...] = MIX
    #: One job of so many has a deadline, within so many seconds.
    deadline_every: int = 0
    deadline_seconds: float = 0.0
    #: Seconds between two submissions.
    apart: float = 0.0
    seed: int = 1


def make(kind: Kind) -> list[Task]:
    """Return the runs of a load, each job's next to each other."""
    dice = random.Random(kind.seed)
    tasks: list[Task] = []
    for number in range(kind.jobs):
        job = UUID(int=dice.getrandbits(128))
        audio = min(LONGEST, max(SHORTEST, dice.lognormvariate(_LOG_MEDIAN, SPREAD)))
        owner = dice.choice(list(WEIGHTS))
        (priority,) = dice.choices(range(len(kind.mix)), kind.mix)
        at = number * kind.apart
        deadline = None
        if kind.deadline_every and number % kind.deadline_every == 0:
            deadline = at + audio + dice.uniform(0.05, 1.0) * kind.deadline_seconds
        whole = _Job(job, owner, priority, at, audio, deadline)
        for engine, rtf in ENGINES.items():
            tasks += _cut(whole, engine, rtf, dice)
    return tasks


@dataclass(frozen=True)
class _Job:
    """What a job's runs have in common."""

    id: UUID
    owner: str
    priority: int
    at: float
    audio: float
    deadline: float | None


def _cut(job: _Job, engine: str, rtf: float, dice: random.Random) -> Iterator[Task]:
    """Yield an engine's runs of a job: one for each chunk, all of the same length.

    So the product cuts, but for the nearest silence: `coordinator.chunks.plan`.
    """
    chunks = math.ceil(job.audio / CHUNK_SECONDS)
    length = job.audio * rtf * dice.uniform(0.8, 1.25)
    # By the file's size, which says the length only roughly.
    cost = job.audio * DEFAULT_RTF * dice.uniform(0.8, 1.25)
    for number in range(chunks):
        yield Task(
            UUID(int=dice.getrandbits(128)),
            job.id,
            engine,
            job.owner,
            job.priority,
            job.at,
            number,
            chunks,
            job.audio / chunks,
            length / chunks,
            cost / chunks,
            job.deadline,
        )


_LOG_MEDIAN = 5.703782474656201  # the logarithm of MEDIAN_SECONDS
