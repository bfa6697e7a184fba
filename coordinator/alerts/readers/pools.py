"""Reads how fast the memory of pools grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Float, cast, func, select, text

from coordinator.alerts.growth import Growth
from coordinator.alerts.readings import Readings, labels
from schemas.node_tables import NodePool

if TYPE_CHECKING:
    from coordinator.alerts.readers.scene import Scene

#: Seconds after which what was told of a pool says nothing of now.
FRESH_SECONDS = 60.0

TOLD = select(
    NodePool.node,
    NodePool.name,
    NodePool.identity,
    NodePool.memory,
    cast(func.extract("epoch", NodePool.seen_at), Float).label("at"),
).where(
    NodePool.memory.is_not(None),
    NodePool.identity.is_not(None),
    text(f"seen_at > now() - interval '{FRESH_SECONDS} s'"),
)


class PoolMemory:
    """Keeps samples of every pool's memory; a pool that starts again begins anew."""

    def __init__(self) -> None:
        """Begin without samples."""
        self._grown: dict[tuple[str, str, str], Growth] = {}
        self._window = 0.0

    def read(self, scene: Scene, readings: Readings) -> None:
        """Take a sample of each pool, tell the rates of those that were seen for long enough."""
        window = scene.settings.alerts.growth_seconds
        if window != self._window:
            self._grown, self._window = {}, window
        found = {}
        kept: dict[tuple[str, str, str], Growth] = {}
        for row in scene.session.execute(TOLD):
            key = (row.node, row.name, row.identity)
            growth = kept[key] = self._grown.get(key) or Growth(window)
            growth.add(row.at, float(row.memory))
            rate = growth.per_hour()
            if rate is not None:
                found[labels(node=row.node, pool=row.name)] = rate
        self._grown = kept
        readings.put("memory_growth_bytes_per_hour", found)
