"""What a pool of worker processes is configured to be."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.names import ENGINE_NAME_PATTERN, EngineName

#: The name of a pool: lower case letters, digits, dashes, underscores.
POOL_NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,39}$"
PoolName = Annotated[str, StringConstraints(pattern=POOL_NAME_PATTERN)]
#: The name of a queue that is no engine's.
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.]{0,59}$")]
#: Where its engines compute: `auto` is the graphics card with most free memory, if there is one
#: that they can use, else the processor; a number counts the cards that this process may see.
Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$")]
MAX_SLOTS = 256
Slots = Annotated[int, Field(ge=1, le=MAX_SLOTS)]


class PoolState(StrEnum):
    """What a pool is doing."""

    #: Something that it needs is not there yet.
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    #: It takes nothing more; its runs finish.
    STOPPING = "stopping"
    STOPPED = "stopped"
    #: It crashed; it is started again in a while.
    BACKOFF = "backoff"
    #: It crashed too often; it stays away until somebody starts it.
    FAILED = "failed"
    #: It does not fit its device; that is looked at again and again.
    REFUSED = "refused"


class PoolSettings(BaseModel):
    """One table `[pools.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The engines whose queues it consumes; none: the engine that is called like the pool. Each
    #: of its processes keeps one of them loaded, so several take turns.
    engines: tuple[EngineName, ...] = ()
    #: Queues besides those of its engines.
    queues: tuple[QueueName, ...] = ()
    #: The module of the Celery app that works.
    app: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$")] = "engine_workers.app"
    #: Where its engines compute: `cpu`, `cuda`, `cuda:1`; `auto`: the graphics card with most free
    #: memory, if there is one that they can use, else the processor.
    device: Device = "auto"
    #: Processes, each with a model of its own, that work at a time.
    concurrency: Slots = 1
    #: Threads of each process; 0: its part of the cores that no other pool of the node has asked
    #: for.
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    #: Time limits of a run, in seconds and in seconds more for each second of audio; None: as the
    #: engine's own.
    limit_base_seconds: Annotated[float, Field(gt=0)] | None = None
    limit_per_audio_second: Annotated[float, Field(ge=0)] | None = None
    #: Runs after which a process is replaced.
    max_tasks_per_child: Annotated[int, Field(ge=1)] | None = None
    #: Megabytes; a process that has ever had more is replaced after its run.
    max_memory_per_child: Annotated[int, Field(ge=1)] | None = None
    #: Megabytes; a process that has more is ended amid its run, which has run out of memory.
    kill_memory_per_child: Annotated[int, Field(ge=1)] | None = None
    #: Seconds without a run after which a process gives its model's memory back; None: never.
    idle_unload_seconds: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        keep, kill = self.max_memory_per_child, self.kill_memory_per_child
        if keep is not None and kill is not None and kill < keep:
            message = "kill_memory_per_child is less than max_memory_per_child"
            raise ValueError(message)
        return self

    def engines_of(self, name: str) -> tuple[str, ...]:
        """Return the engines of the pool that is called `name`."""
        if self.engines or self.queues or not re.fullmatch(ENGINE_NAME_PATTERN, name):
            return self.engines
        return (name,)
