"""Reads all metrics once; a reader that fails costs its own metrics alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from coordinator.alerts.readers.agreement import learn_agreement, read_agreement
from coordinator.alerts.readers.broker import BrokerReader
from coordinator.alerts.readers.nodes import learn_cards, read_cards, read_nodes
from coordinator.alerts.readers.pools import PoolMemory
from coordinator.alerts.readers.queues import read_queues, read_unserved
from coordinator.alerts.readers.runs import read_dead_leases, read_failures
from coordinator.alerts.readers.scene import Scene
from coordinator.alerts.readers.sweeper import read_sweeper
from coordinator.alerts.readings import Readings
from schemas.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from schemas.database import Database
    from schemas.settings import Settings

    Reader = Callable[[Scene, Readings], None]

log = structlog.get_logger("coordinator")


class Measuring:
    """The readers of one coordinator, with what they remember."""

    def __init__(self, node: str) -> None:
        """Remember nothing yet; `node` is this machine's name."""
        self._node = node
        self._readers: tuple[Reader, ...] = (
            BrokerReader().read,
            read_queues,
            read_unserved,
            read_failures,
            read_dead_leases,
            read_agreement,
            read_nodes,
            read_cards,
            PoolMemory().read,
            read_sweeper,
        )

    def read(self, database: Database, settings: Settings) -> Readings:
        """Read everything.

        Raises:
            LedgerError: the database does not answer.
        """
        readings = Readings()
        for reader in self._readers:
            try:
                with database.reading() as session:
                    reader(Scene(session, settings, self._node), readings)
            except LedgerError:
                raise
            except Exception:  # the others are read all the same
                log.exception("metric_not_read", reader=str(reader))
        return readings


def learn(session: Session) -> None:
    """Take note of what later readings are compared with; for one coordinator at a time."""
    learn_agreement(session)
    learn_cards(session)
