"""Holds the supervisor's connection to the ledger, which also proves it to be the only one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import structlog

from engine_workers.errors import NodeTakenError
from schemas.errors import LedgerError
from schemas.names import CHANNEL_CONFIGURATION, CHANNEL_NODES

if TYPE_CHECKING:
    from schemas.database import Database

#: What a command says on the channel before the node's name, and what its supervisor says.
ASK, TOLD = "ask", "told"
#: Seconds until a database that is away is tried again; doubled up to the second figure.
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 10.0
#: Seconds for which the lock of a node is tried: a supervisor that died has just lost it.
LOCK_SECONDS = 5.0

log = structlog.get_logger("engine_workers")


class Link:
    """A connection that listens, as long as there is one."""

    def __init__(self, database: Database, node: str) -> None:
        """Prepare; `connect` connects."""
        self._database = database
        self._node = node
        self._exit = ExitStack()
        self._connection: psycopg.Connection[Any] | None = None
        self._owned = False
        self._retry = FIRST_RETRY_SECONDS
        self._not_before = 0.0
        self._locked_out: float | None = None

    @property
    def connection(self) -> psycopg.Connection[Any] | None:
        """The connection; None while the database is away."""
        return self._connection

    def connect(self, now: float) -> bool:
        """Connect, if that is due; return whether there is a connection.

        Raises:
            NodeTakenError: another supervisor looks after the node.
        """
        if self._connection is not None or now < self._not_before:
            return self._connection is not None
        try:
            self._database.check_schema()
            connection = self._exit.enter_context(
                self._database.listen(CHANNEL_NODES, CHANNEL_CONFIGURATION)
            )
            if not self._lock(connection, now):
                self._exit.close()
                self._not_before = now + FIRST_RETRY_SECONDS
                return False
        except (LedgerError, psycopg.Error) as error:  # its schema may be another, too
            self.lose(error, now)
            return False
        self._connection, self._owned = connection, True
        self._retry, self._locked_out = FIRST_RETRY_SECONDS, None
        return True

    def lose(self, error: Exception, now: float) -> None:
        """Give the connection up, as the database does not answer."""
        log.warning("ledger_away", error=str(error), retry_seconds=self._retry)
        self.close()
        self._not_before = now + self._retry
        self._retry = min(2 * self._retry, LAST_RETRY_SECONDS)

    def heard(self) -> set[str]:
        """Return what was said since.

        Raises:
            psycopg.OperationalError: the connection is gone.
        """
        if self._connection is None:
            return set()
        return {note.payload for note in self._connection.notifies(timeout=0)}

    def close(self) -> None:
        """Close the connection, and with it give the node up."""
        self._connection = None
        try:
            self._exit.close()
        except psycopg.Error as error:
            log.info("not_closed", error=str(error))

    def next_try(self, now: float) -> float:
        """Return the seconds until `connect` tries again."""
        return max(0.0, self._not_before - now) if self._connection is None else float("inf")

    def _lock(self, connection: psycopg.Connection[Any], now: float) -> bool:
        """Take the lock that the node's supervisor holds for as long as it is connected."""
        query = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        row = connection.execute(query, [f"chordscribe node {self._node}"]).fetchone()
        if row is not None and row[0]:
            return True
        if self._locked_out is None:
            self._locked_out = now
        # Once it was ours, the lock is that of our own connection which the server believes alive.
        if not self._owned and now - self._locked_out > LOCK_SECONDS:
            message = f"another supervisor looks after the pools of the node '{self._node}'"
            raise NodeTakenError(message)
        return False
