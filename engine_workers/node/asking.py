"""Asks a node's supervisor for something, by the ledger; waits until it is so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from engine_workers.errors import (
    NodeSilentError,
    PoolFailedError,
    PoolWaitError,
    UnknownPoolError,
)
from engine_workers.node.link import ASK
from schemas.names import CHANNEL_NODES
from schemas.node_tables import Node, NodePool
from schemas.pools import PoolState

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from sqlalchemy.orm import Session

    from schemas.database import Database

#: Seconds without a report after which nobody is taken to look after a node.
SILENT_SECONDS = 40.0
#: The most seconds between two looks at a pool, should a notification have been missed.
LOOK_SECONDS = 2.0
#: States in which a wish that was heard will not come true.
HOPELESS = {PoolState.FAILED.value, PoolState.REFUSED.value}


@dataclass(frozen=True)
class Wish:
    """What is asked of a pool."""

    running: bool
    #: Whether processes that run are replaced.
    anew: bool = False
    #: Processes; None: as many as now wanted.
    slots: int | None = None


def ask(database: Database, reference: str, wish: Wish) -> tuple[str, str, int]:
    """Write down what is wanted, wake the node; return node, pool, the wish's number.

    Args:
        database: the ledger.
        reference: `NODE/POOL`, or a pool's name that one node alone has.
        wish: what is wanted.

    Raises:
        UnknownPoolError: there is no such pool, or there are several.
        LedgerError: the database does not answer.
    """
    with database.transaction() as session:
        row = _find(session, reference)
        row.wanted = "running" if wish.running else "stopped"
        row.generation += int(wish.anew)
        if wish.slots is not None:
            row.wanted_slots = wish.slots
        row.wish += 1
        session.execute(select(func.pg_notify(CHANNEL_NODES, f"{ASK} {row.node}")))
        return row.node, row.name, row.wish


def wait(
    database: Database,
    asked: tuple[str, str, int],
    timeout: float,
    on_state: Callable[[str], None] = lambda _text: None,
) -> NodePool:
    """Wait until the wish is fulfilled; return the pool as it then is.

    Raises:
        NodeSilentError: nobody looks after the node.
        PoolFailedError: it cannot be fulfilled; the message says why.
        PoolWaitError: `timeout` seconds passed.
        LedgerError: the database does not answer.
    """
    node, name, number = asked
    deadline = time.monotonic() + timeout
    with database.listen(CHANNEL_NODES) as connection:
        while True:
            row, silence, left = _read(database, node, name)
            on_state(row.state)
            if row.done_wish >= number:
                return _fulfilled(row)
            if silence is None or silence > SILENT_SECONDS or left == "stopped":
                raise NodeSilentError(_silent(node, silence, left))
            if time.monotonic() >= deadline:
                raise PoolWaitError(_too_late(row, timeout))
            _news(connection, min(LOOK_SECONDS, deadline - time.monotonic()))


def _find(session: Session, reference: str) -> NodePool:
    node, slash, name = reference.rpartition("/")
    query = select(NodePool).where(NodePool.name == name).with_for_update()
    found = session.scalars(query.where(NodePool.node == node) if slash else query).all()
    if len(found) == 1:
        return found[0]
    if found:
        nodes = ", ".join(sorted(f"{row.node}/{row.name}" for row in found))
        message = f"several nodes have a pool '{name}': {nodes}"
    else:
        rows = session.execute(select(NodePool.node, NodePool.name).order_by(NodePool.node))
        known = ", ".join(f"{row.node}/{row.name}" for row in rows) or "none"
        message = f"there is no pool '{reference}'; known: {known}"
    raise UnknownPoolError(message)


def _read(database: Database, node: str, name: str) -> tuple[NodePool, float | None, str | None]:
    """Return the pool, the seconds since its node was heard of, the node's state."""
    with database.reading() as session:
        row = session.scalar(select(NodePool).where(NodePool.node == node, NodePool.name == name))
        if row is None:
            message = f"the node '{node}' no longer has a pool '{name}'"
            raise UnknownPoolError(message)
        age = func.extract("epoch", func.now() - Node.seen_at)
        found = session.execute(select(age, Node.state).where(Node.name == node)).one_or_none()
    return (row, float(found[0]), found[1]) if found else (row, None, None)


def _fulfilled(row: NodePool) -> NodePool:
    if row.state in HOPELESS:
        message = f"{row.node}/{row.name} is {row.state}: {row.reason}"
        raise PoolFailedError(message)
    return row


def _silent(node: str, silence: float | None, state: str | None) -> str:
    if state == "stopped":
        how = "its supervisor was stopped"
    else:
        how = "it was never heard of" if silence is None else f"last heard of {silence:.0f} s ago"
    return (
        f"nobody looks after the pools of '{node}' ({how}); what was asked is written down, "
        "`chordscribe worker` there will see to it"
    )


def _too_late(row: NodePool, timeout: float) -> str:
    why = f" ({row.reason})" if row.reason else ""
    runs = f", {len(row.runs)} runs are at work" if row.runs else ""
    return (
        f"{row.node}/{row.name} is still {row.state}{why}{runs} after {timeout:.0f} s; "
        "what was asked is still wanted"
    )


def _news(connection: psycopg.Connection[Any], seconds: float) -> None:
    list(connection.notifies(timeout=max(0.0, seconds), stop_after=1))
    list(connection.notifies(timeout=0))
