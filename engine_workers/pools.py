"""Says what a pool's settings mean for its worker: command line, environment, limits."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from engine_workers.devices import CPU, VISIBLE, Gpu
from schemas.names import engine_queue

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from schemas.pools import PoolSettings
    from schemas.settings import Settings

#: The variables by which libraries are told how many threads to make: OpenMP's, which CTranslate2,
#: torch and our own engines heed, and those of two libraries of linear algebra.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: Celery counts kilobytes.
KILOBYTES = 1000


@dataclass(frozen=True)
class WorkerOptions:
    """What the worker's program is told, as JSON on its command line."""

    app: str
    hostname: str
    queues: tuple[str, ...]
    concurrency: int
    #: How its processes begin: `fork`, which shares what was imported, or `spawn`, since CUDA does
    #: not survive a fork.
    start_method: str = "fork"
    max_tasks_per_child: int | None = None
    #: Kilobytes.
    max_memory_per_child: int | None = None

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerOptions:
        """Return what `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "queues": tuple(fields["queues"])})


@dataclass(frozen=True)
class Placement:
    """Where a pool runs, as was decided when it was started."""

    #: `cpu` or `cuda:N`.
    device: str
    slots: int
    #: Threads of each process.
    threads: int
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Launch:
    """How the pool's worker is started."""

    argv: tuple[str, ...]
    #: Variables beside those that the supervisor has.
    env: Mapping[str, str]


def worker_name(pool: str, node: str) -> str:
    """Return the name of a pool's Celery worker."""
    return f"{pool}@{node}"


def launch(
    name: str,
    node: str,
    settings: Settings,
    placement: Placement,
    with_device: Collection[str] = (),
) -> Launch:
    """Return how to start a pool.

    Args:
        name: the pool's.
        node: the machine's.
        settings: with the pool among them.
        placement: its device, slots and threads.
        with_device: those of its engines that have an option `device` with that device's kind.
    """
    pool = settings.pools[name]
    on_cpu = placement.device == CPU
    memory = pool.max_memory_per_child
    options = WorkerOptions(
        app=pool.app,
        hostname=worker_name(name, node),
        queues=(*map(engine_queue, pool.engines_of(name)), *pool.queues),
        concurrency=placement.slots,
        start_method="fork" if on_cpu else "spawn",
        max_tasks_per_child=pool.max_tasks_per_child,
        max_memory_per_child=memory * KILOBYTES if memory else None,
    )
    argv = (sys.executable, "-P", "-m", "engine_workers.pool_worker", options.to_json())
    return Launch(argv, _env(name, pool, placement, with_device))


def _env(
    name: str, pool: PoolSettings, placement: Placement, with_device: Collection[str]
) -> dict[str, str]:
    """Return what is the pool's own; all else its worker reads as we do."""
    env = dict.fromkeys(THREAD_VARIABLES, str(placement.threads))
    env |= {
        # CUDA counts cards in an order of its own; their UUIDs are beyond doubt.
        VISIBLE: placement.gpu.uuid if placement.gpu else "",
        "CHORDSCRIBE_WORKER__DEVICE": placement.device,
        # What Celery fears of root is pickle; our messages are JSON.
        "C_FORCE_ROOT": "1",
        "PYTHONUNBUFFERED": "1",
    }
    for own in ("idle_unload_seconds", "limit_base_seconds", "limit_per_audio_second"):
        value = getattr(pool, own)
        if value is not None:
            env[f"CHORDSCRIBE_WORKER__{own}".upper()] = str(value)
    kind = placement.device.partition(":")[0]
    for engine in pool.engines_of(name):
        if engine in with_device:
            env[f"CHORDSCRIBE_ENGINES__{engine.upper()}__DEVICE"] = kind
    return env


def threads_of(
    name: str, pools: Mapping[str, PoolSettings], slots: Mapping[str, int], cores: int
) -> int:
    """Return the threads of each process of a pool, so that the node's pools share its cores.

    Pools that name their threads are given them; the others share what is left equally, process
    by process, with one for each at least.

    Args:
        name: the pool's.
        pools: all pools that run on the node.
        slots: how many processes each has.
        cores: of the machine.
    """
    if pools[name].threads:
        return pools[name].threads
    taken = sum(pool.threads * slots[it] for it, pool in pools.items())
    sharers = sum(slots[it] for it, pool in pools.items() if not pool.threads)
    return max(1, (cores - taken) // max(1, sharers))
