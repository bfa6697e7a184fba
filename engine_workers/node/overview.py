"""Reads every node with its pools, as `chordscribe pools list` shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from schemas.base import Contract
from schemas.node_tables import Node, NodePool

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: Seconds without a report after which a node counts as gone.
SILENT_SECONDS = 40.0


class PoolView(Contract):
    """A pool as it was last reported."""

    name: str
    state: str
    wanted: str
    reason: str | None
    engines: tuple[str, ...]
    worker: str
    device: str
    slots: int
    wanted_slots: int | None
    #: The process of its Celery worker.
    pid: int | None
    #: Bytes.
    memory: int | None
    vram: int | None
    #: Cores that are busy.
    load: float | None
    runs: tuple[dict[str, Any], ...]
    restarts: int
    started_at: datetime | None


class NodeView(Contract):
    """A machine as it was last reported."""

    name: str
    #: `running`, `draining`, `stopped`, or `silent`: it was not heard of for 40 seconds.
    state: str
    pid: int
    cores: int
    free_memory: int | None
    note: str | None
    devices: tuple[dict[str, Any], ...]
    #: Seconds since it was heard of.
    silence: float
    pools: tuple[PoolView, ...]


def read_nodes(session: Session) -> list[NodeView]:
    """Return all nodes by name."""
    pools: dict[str, list[PoolView]] = {}
    for pool in session.scalars(select(NodePool).order_by(NodePool.node, NodePool.name)):
        fields = {name: getattr(pool, name) for name in PoolView.model_fields}
        pools.setdefault(pool.node, []).append(PoolView.model_validate(fields))
    age = func.extract("epoch", func.now() - Node.seen_at)
    found = []
    for node, seconds in session.execute(select(Node, age).order_by(Node.name)):
        silence = round(float(seconds), 1)
        gone = silence > SILENT_SECONDS and node.state != "stopped"
        found.append(
            NodeView(
                name=node.name,
                state="silent" if gone else node.state,
                pid=node.pid,
                cores=node.cores,
                free_memory=node.free_memory,
                note=node.note,
                devices=tuple(node.devices),
                silence=silence,
                pools=tuple(pools.get(node.name, ())),
            )
        )
    return found
