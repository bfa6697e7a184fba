"""Reads what the ledger wants of a node's pools, writes what they are."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from engine_workers.claim import RUNNING
from engine_workers.node.link import TOLD
from schemas.names import CHANNEL_NODES
from schemas.node_tables import Node, NodePool
from schemas.tables import EngineRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine_workers.devices import Gpu
    from engine_workers.node.keeper import Keeper

#: Days after which a node is forgotten.
FORGET_DAYS = 7


@dataclass(frozen=True)
class NodeReport:
    """What is told of a machine."""

    name: str
    state: str
    pid: int
    identity: str
    cores: int
    free_memory: int
    note: str | None = None
    gpus: Sequence[Gpu] = ()
    #: The share of its media's disk that is full.
    disk_used: float | None = None


@dataclass(frozen=True)
class PoolReport:
    """What is told of a pool besides what its keeper knows."""

    memory: int | None = None
    vram: int | None = None
    load: float | None = None
    runs: list[dict[str, object]] = field(default_factory=list)


def adopt(session: Session, node: str, workers: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Make sure that the pools of a node have rows, those alone.

    Args:
        session: a transaction.
        node: the machine's name.
        workers: the worker's name, the engines, by pool.
    """
    session.execute(delete(NodePool).where(NodePool.node == node, NodePool.name.not_in(workers)))
    for name, (worker, engines) in workers.items():
        row = insert(NodePool).values(
            node=node, name=name, worker=worker, engines=list(engines), state="waiting"
        )
        session.execute(
            row.on_conflict_do_update(
                index_elements=["node", "name"],
                set_={"worker": worker, "engines": row.excluded.engines},
            )
        )


def forget_old(session: Session) -> None:
    """Take away the nodes of which nothing was heard for a week, as replaced containers are."""
    long_ago = func.now() - func.make_interval(0, 0, 0, FORGET_DAYS)
    old = select(Node.name).where(Node.seen_at < long_ago)
    session.execute(delete(NodePool).where(NodePool.node.in_(old)))
    session.execute(delete(Node).where(Node.seen_at < long_ago))


def read_pools(session: Session, node: str) -> dict[str, NodePool]:
    """Return the rows of a node's pools."""
    rows = session.scalars(select(NodePool).where(NodePool.node == node))
    return {row.name: row for row in rows}


def read_runs(session: Session, workers: Iterable[str]) -> dict[str, list[dict[str, object]]]:
    """Return what each worker works on."""
    found: dict[str, list[dict[str, object]]] = {}
    for worker in workers:
        rows = session.execute(
            select(
                EngineRun.id,
                EngineRun.job_id,
                EngineRun.engine,
                func.extract("epoch", func.now() - EngineRun.started_at).label("seconds"),
            )
            .where(
                EngineRun.state == RUNNING,
                EngineRun.owner.startswith(f"{worker}:", autoescape=True),
            )
            .order_by(EngineRun.started_at)
        )
        found[worker] = [
            {
                "run": str(row.id),
                "job": str(row.job_id),
                "engine": row.engine,
                "seconds": round(float(row.seconds), 1),
            }
            for row in rows
        ]
    return found


def write_node(session: Session, report: NodeReport) -> None:
    """Tell of the machine; a supervisor that is new on it begins its time."""
    gpus = [{**asdict(gpu), "used_by": dict(gpu.used_by)} for gpu in report.gpus]
    values: dict[str, Any] = {
        **{key: value for key, value in vars(report).items() if key != "gpus"},
        "devices": gpus,
        "clock_skew": time.time() - func.extract("epoch", func.clock_timestamp()),
    }
    row = insert(Node).values(**values)
    began = func.now()
    session.execute(
        row.on_conflict_do_update(
            index_elements=["name"],
            set_={
                **{key: value for key, value in values.items() if key != "name"},
                "seen_at": func.now(),
                "started_at": func.coalesce(
                    select(Node.started_at)
                    .where(Node.name == report.name, Node.identity == report.identity)
                    .scalar_subquery(),
                    began,
                ),
            },
        )
    )


def write_pool(session: Session, node: str, keeper: Keeper, report: PoolReport) -> None:
    """Tell of a pool."""
    process = keeper.process
    values: dict[str, Any] = {
        "done_wish": keeper.done_wish,
        "state": keeper.state.value,
        "reason": keeper.reason,
        "device": process.placement.device if process else "",
        "slots": process.placement.slots if process else 0,
        "pid": process.pid if process else None,
        "identity": process.identity if process else None,
        "restarts": keeper.restarts,
        **vars(report),
    }
    session.execute(
        update(NodePool)
        .where(NodePool.node == node, NodePool.name == keeper.name)
        .values(**values, started_at=keeper.since, seen_at=func.now())
    )


def tell(session: Session, node: str) -> None:
    """Wake whoever waits for the node when the session commits."""
    session.execute(select(func.pg_notify(CHANNEL_NODES, f"{TOLD} {node}")))
