"""Tells which migrations may run under programs that know nothing of them.

A migration says of itself

- `phase = "pre"` when it only adds: tables, indexes, columns that may be left out. Programs of
  before work on beside it;
- `phase = "post"` when it only takes away what its own release does not use any more: programs of
  that release work before it as after it, older ones not after it. It stands at a release's end;
- nothing, as those up to 0012 do, when it parts both: older programs stop first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alembic.script import Script, ScriptDirectory
    from sqlalchemy import Connection

PRE, POST = "pre", "post"


def phase(migration: Script) -> str | None:
    """Return what a migration says of itself."""
    found: str | None = getattr(migration.module, "phase", None)
    return found


def harmless(scripts: ScriptDirectory, applied: str) -> Sequence[str]:
    """Return the revisions that may come next while programs work on the schema `applied`."""
    wanted: list[str] = []
    for migration in reversed(list(scripts.iterate_revisions("head", applied))):
        if phase(migration) != PRE:
            break
        wanted.append(migration.revision)
    return wanted


def least_revision(scripts: ScriptDirectory) -> str:
    """Return the oldest schema on which the programs of these migrations work."""
    return next(it.revision for it in scripts.walk_revisions() if phase(it) != POST)


def applied_revision(connection: Connection) -> str | None:
    """Return a database's revision; None where it is empty."""
    if not connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def write_floor(connection: Connection, scripts: ScriptDirectory) -> None:
    """Write down whom the schema leaves behind: programs older than its last change not `pre`.

    It is the comment on alembic's table, so that no backup carries it into another schema.
    """
    applied = applied_revision(connection)
    if applied is None:
        return
    downwards = scripts.iterate_revisions(applied, "base")
    floor = next(it.revision for it in downwards if phase(it) != PRE)
    connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{floor}'"))
