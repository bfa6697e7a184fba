"""What the supervisor reads of the ledger, without the ORM, which takes long to import."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import psycopg

from coordinator.errors import LocalStackError
from coordinator.local.commands import Command
from schemas.errors import SchemaVersionError
from schemas.revision import SCHEMA_REVISION

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds to wait for the server to take a connection.
CONNECT_TIMEOUT_SECONDS = 5
#: Seconds that an answer may take.
ANSWER_TIMEOUT_SECONDS = 10

UNFINISHED_ENGINES = """
    SELECT DISTINCT run.engine FROM engine_runs AS run JOIN jobs AS job ON job.id = run.job_id
    WHERE job.state IN ('queued', 'running') AND run.state IN ('queued', 'running')
    ORDER BY run.engine
"""
#: The names of the roles that have a task to do just now.
BUSY_ROLES = """
    SELECT 'engine-' || engine FROM engine_runs WHERE state = 'running'
    UNION
    SELECT 'aggregation' FROM jobs AS job WHERE state = 'running' AND NOT EXISTS (
        SELECT FROM engine_runs AS run
        WHERE run.job_id = job.id AND run.state IN ('queued', 'running')
    )
"""


def schema_is_current(url: str) -> bool:
    """Whether the database has the schema of this code; False: an older one, or none.

    Raises:
        SchemaVersionError: it has a newer one.
        LocalStackError: the database does not answer.
    """
    rows = _rows(url, "SELECT version_num FROM alembic_version")
    found = rows[0] if rows else None
    if found is not None and found > SCHEMA_REVISION:
        message = (
            f"the database has schema {found}, newer than this program's {SCHEMA_REVISION}: "
            "update Chordscribe, or choose another data directory with CHORDSCRIBE_DATA_DIR"
        )
        raise SchemaVersionError(message)
    return found == SCHEMA_REVISION


def migration(env: Mapping[str, str]) -> Command:
    """Return the command that brings the database that `env` names to the schema of this code."""
    return Command("migrate", (sys.executable, "-P", "-m", "ops.migrate"), env=env)


def unfinished_engines(url: str) -> list[str]:
    """Return the engines that still have runs to do.

    Raises:
        LocalStackError: the database does not answer.
    """
    return _rows(url, UNFINISHED_ENGINES)


def busy_roles(url: str) -> list[str]:
    """Return the names of the roles that have a task to do just now.

    Raises:
        LocalStackError: the database does not answer.
    """
    return _rows(url, BUSY_ROLES)


def _rows(url: str, query: str) -> list[str]:
    """Return a query's first column; nothing where its table is not there."""
    plain = re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", url)
    try:
        with psycopg.connect(
            plain,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            options=f"-c statement_timeout={ANSWER_TIMEOUT_SECONDS}s",
        ) as connection:
            return [row[0] for row in connection.execute(query.encode()).fetchall()]
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.OperationalError as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        message = f"the database does not answer: {said}"
        raise LocalStackError(message) from None
