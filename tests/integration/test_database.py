"""A connection of the pool is good for use, whatever became of it while it lay idle."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func
from sqlalchemy import select as query

import schemas.database
from schemas.database import Database

if TYPE_CHECKING:
    from schemas.settings import Settings

#: Seconds within which the server has to say farewell to a connection that it was told to end.
PATIENCE_SECONDS = 10


def _pid(database: Database) -> int:
    """Return the process that serves the pool's connection."""
    with database.transaction() as session:
        return session.scalar(query(func.pg_backend_pid())) or 0


def _end(database: Database, settings: Settings, pid: int) -> None:
    """Have the server end the pool's idle connection; return once it has."""
    with database.transaction() as session:
        raw: Any = session.connection().connection.dbapi_connection
    other = Database(settings)
    with other.transaction() as session:
        session.scalar(query(func.pg_terminate_backend(pid)))
    other.dispose()
    assert select.select([raw], [], [], PATIENCE_SECONDS)[0]


def _insert_then_fail(database: Database) -> None:
    with database.transaction() as session:
        session.connection().exec_driver_sql("INSERT INTO whole VALUES (7)")
        raise RuntimeError


def test_a_connection_that_the_server_closed_is_replaced_unnoticed(
    database: Database, settings: Settings
) -> None:
    before = _pid(database)
    _end(database, settings, before)
    assert _pid(database) not in {0, before}


def test_a_connection_that_lay_idle_for_long_is_asked_and_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _pid(database)
    monkeypatch.setattr(schemas.database, "IDLE_SECONDS", 0.0)
    assert _pid(database) == before


def test_statements_are_committed_one_by_one(database: Database, settings: Settings) -> None:
    other = Database(settings)
    with database.statements() as connection:
        connection.exec_driver_sql("CREATE TABLE one_by_one (number int)")
        connection.exec_driver_sql("INSERT INTO one_by_one VALUES (7)")
        with other.reading() as session:
            assert session.connection().exec_driver_sql("TABLE one_by_one").scalar() == 7
    other.dispose()


def test_a_transaction_after_single_statements_is_one(database: Database) -> None:
    with database.statements() as connection:
        connection.exec_driver_sql("CREATE TABLE whole (number int)")
    with pytest.raises(RuntimeError):
        _insert_then_fail(database)
    with database.reading() as session:
        assert session.connection().exec_driver_sql("TABLE whole").scalar() is None
