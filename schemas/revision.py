"""Which schema of the ledger this code was written for."""

from __future__ import annotations

#: The alembic revision that this code needs; a test keeps it equal to the newest migration.
SCHEMA_REVISION = "0012"
