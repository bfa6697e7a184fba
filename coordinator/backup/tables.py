"""Reads whole tables of the ledger as streams, fills them from such."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from psycopg import sql

from coordinator.errors import RestoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg

#: Tables that follow from others: the database's own triggers fill them.
DERIVED = frozenset({"report_words"})
#: Alembic's, which says what the schema is.
REVISION_TABLE = "alembic_version"

TABLES = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname
"""
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = format('%%I', %s::text)::regclass AND attnum > 0 AND NOT attisdropped
  AND attgenerated = '' ORDER BY attnum
"""
#: Which table's rows name rows of which other.
LINKS = """
SELECT child.relname, parent.relname FROM pg_constraint
JOIN pg_class AS child ON child.oid = conrelid JOIN pg_class AS parent ON parent.oid = confrelid
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
"""
COUNTERS = """
SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE attidentity <> '' AND relnamespace = current_schema()::regnamespace
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns that are written into a backup."""

    name: str
    columns: tuple[str, ...]

    @property
    def _list(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    def copy_out(self) -> sql.Composed:
        """Return the statement that writes it out."""
        return sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(self.name), self._list)

    def copy_in(self) -> sql.Composed:
        """Return the statement that fills it."""
        return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(self.name), self._list)


def tables_of(connection: psycopg.Connection[Any]) -> tuple[Table, ...]:
    """Return the ledger's own tables, those first that others name."""
    names = {row[0] for row in connection.execute(TABLES)} - DERIVED - {REVISION_TABLE}
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(names), ()))
    for child, parent in connection.execute(LINKS):
        if child in names and parent in names and child != parent:
            order.add(child, parent)
    return tuple(Table(name, _columns(connection, name)) for name in order.static_order())


def _columns(connection: psycopg.Connection[Any], name: str) -> tuple[str, ...]:
    return tuple(row[0] for row in connection.execute(COLUMNS, [name]))


def revision_of(connection: psycopg.Connection[Any]) -> str:
    """Return the ledger's schema."""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def read_table(cursor: psycopg.Cursor[Any], table: Table) -> Iterator[bytes]:
    """Yield a table as COPY writes it; the cursor's `rowcount` then says how many rows it has."""
    with cursor.copy(table.copy_out()) as copy:
        for block in copy:
            yield bytes(block)


def fill_table(connection: psycopg.Connection[Any], table: Table, blocks: Iterable[bytes]) -> int:
    """Fill a table from what `read_table` gave; return how many rows that are.

    Raises:
        psycopg.Error: it does not fit the table.
    """
    with connection.cursor() as cursor:
        with cursor.copy(table.copy_in()) as copy:
            for block in blocks:
                copy.write(block)
        return cursor.rowcount


def check_empty(connection: psycopg.Connection[Any]) -> None:
    """Make sure that nobody's jobs would be mixed with others.

    Raises:
        RestoreError: the ledger has jobs or batches.
    """
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM jobs) OR EXISTS (SELECT FROM batches)"
    ).fetchone()
    if row and row[0]:
        message = (
            "the ledger is not empty: this is done into an empty installation only "
            "(another CHORDSCRIBE_DATA_DIR, or another database)"
        )
        raise RestoreError(message)


def empty_tables(connection: psycopg.Connection[Any], tables: Sequence[Table]) -> None:
    """Remove what workers and coordinators have written into a ledger without jobs."""
    names = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))


def wind_counters(connection: psycopg.Connection[Any]) -> None:
    """Let numbers that the database gives go on after those that were filled in."""
    for name, column in connection.execute(COUNTERS).fetchall():
        connection.execute(
            sql.SQL(
                "SELECT setval(pg_get_serial_sequence({quoted}, {column}), "
                "coalesce(max({field}), 0) + 1, false) FROM {table}"
            ).format(
                quoted=sql.Literal(f'"{name}"'),
                column=sql.Literal(column),
                field=sql.Identifier(column),
                table=sql.Identifier(name),
            )
        )
