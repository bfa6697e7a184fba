"""Gathers what a node and its pools use, for the ledger."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine_workers.devices import find_devices
from engine_workers.node.broker import broker_problem
from engine_workers.node.gauges import Usage, cores, free_memory, usage
from engine_workers.node.ledger import (
    NodeReport,
    PoolReport,
    read_runs,
    write_node,
    write_pool,
)
from engine_workers.node.processes import identity
from schemas.folders import used_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from engine_workers.devices import Devices
    from engine_workers.node.keeper import Keeper
    from schemas.settings import Settings

#: The least seconds between two questions to the broker.
PING_SECONDS = 5.0


class Reporter:
    """Tells of one node."""

    def __init__(self, settings: Settings, node: str, keepers: Sequence[Keeper]) -> None:
        """Know nothing yet."""
        self._settings = settings
        self._node = node
        self._keepers = keepers
        self._identity = identity(os.getpid()) or ""
        #: When the processor's time of each process was read last, and how much that was.
        self._cpu: dict[int, tuple[float, float]] = {}
        self._broker: str | None = None
        self._next_ping = 0.0

    def report(self, session: Session, state: str, now: float) -> None:
        """Write what is so now.

        Raises:
            LedgerError: the database does not answer.
        """
        devices = find_devices()
        if now >= self._next_ping:
            self._next_ping = now + PING_SECONDS
            self._broker = broker_problem(self._settings)
        notes = [note for note in (self._broker, devices.note) if note]
        write_node(
            session,
            NodeReport(
                self._node,
                state,
                os.getpid(),
                self._identity,
                cores(),
                free_memory(),
                "; ".join(notes) or None,
                devices.gpus,
                used_share(self._settings.media_root),
            ),
        )
        runs = read_runs(session, [keeper.worker for keeper in self._keepers])
        for keeper in self._keepers:
            report = self._pool(keeper, devices, now)
            report.runs.extend(runs[keeper.worker])
            keeper.note_runs(len(report.runs), now)
            write_pool(session, self._node, keeper, report)

    def _pool(self, keeper: Keeper, devices: Devices, now: float) -> PoolReport:
        if keeper.process is None:
            return PoolReport()
        found = usage(keeper.process.pid)
        vram = sum(gpu.used_by.get(pid, 0) for gpu in devices.gpus for pid in found.memory)
        has_gpu = keeper.process.placement.gpu is not None
        load = self._load(keeper.process.pid, found, now)
        return PoolReport(found.total, vram if has_gpu else None, load)

    def _load(self, pid: int, found: Usage, now: float) -> float | None:
        """Return the cores that were busy since the last report."""
        before = self._cpu.get(pid)
        self._cpu[pid] = (now, found.cpu)
        if before is None or now <= before[0]:
            return None
        # A child that ended takes its time with it.
        return round(max(0.0, found.cpu - before[1]) / (now - before[0]), 2)
