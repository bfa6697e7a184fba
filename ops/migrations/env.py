"""Runs the migrations in one transaction, one process at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import NullPool, create_engine, text

import schemas.dependency_tables
import schemas.measure_table
import schemas.memory_tables
import schemas.outage_table  # noqa: F401  # their tables belong to the metadata
from ops.phases import write_floor
from schemas.media_table import Medium

#: Any number that nobody else locks: the first bytes of "chordscribe".
MIGRATION_LOCK = 0x63686F7264

engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Medium.metadata,
        transactional_ddl=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()
        write_floor(connection, context.script)
engine.dispose()
