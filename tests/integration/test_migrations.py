"""The migrations make exactly the schema that the code is written for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from ops.migrate import alembic_config, upgrade
from schemas.batch_tables import BatchItem
from schemas.database import database_url
from schemas.dependency_tables import BatchDependency
from schemas.errors import SchemaVersionError
from schemas.measure_table import Measure
from schemas.media_table import Medium
from schemas.memory_tables import Tombstone
from schemas.outage_table import Outage
from schemas.tables import SCHEMA_REVISION

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings


def test_the_newest_migration_is_the_one_the_code_needs(settings: Settings) -> None:
    assert ScriptDirectory.from_config(alembic_config(settings)).get_heads() == [SCHEMA_REVISION]


def test_a_migrated_database_has_the_tables_of_the_code(settings: Settings) -> None:
    engine = create_engine(database_url(settings))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        for table in (BatchDependency, BatchItem, Measure, Outage, Tombstone):
            assert table.metadata is Medium.metadata  # each file of tables was read
        assert compare_metadata(context, Medium.metadata) == []
    engine.dispose()


def test_what_was_learnt_of_engines_before_speeds_had_devices_is_kept_both_ways(
    settings: Settings, database: Database
) -> None:
    command.downgrade(alembic_config(settings), "0007")
    with database.transaction() as session:
        session.execute(
            text("INSERT INTO estimates VALUES ('rtf', 'fake', 0.2, 0.4, 7, 0.1)"),
        )
    upgrade(settings)
    with database.transaction() as session:
        (kept,) = session.execute(text("SELECT * FROM measures")).all()
        assert tuple(kept) == ("rtf", "fake", "", "", 0.2, 0.4, 7, 0.1)
        session.execute(text("UPDATE measures SET median = 0.3"))
        # A coordinator of before writes what it always did.
        session.execute(
            text(
                "INSERT INTO estimates VALUES ('rtf', 'fake', 9, 9, 9, 9) "
                "ON CONFLICT (kind, name) DO UPDATE SET median = excluded.median"
            )
        )
    command.downgrade(alembic_config(settings), "0007")
    with database.transaction() as session:
        assert session.scalar(text("SELECT median FROM estimates")) == 0.3
    upgrade(settings)


def test_upgrading_twice_changes_nothing(settings: Settings, database: Database) -> None:
    upgrade(settings)
    database.check_schema()


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ("DROP TABLE alembic_version", "db upgrade"),
        ("UPDATE alembic_version SET version_num = '0000'", "db upgrade"),
        (
            """UPDATE alembic_version SET version_num = '9999';
            COMMENT ON TABLE alembic_version IS NULL""",
            "update Chordscribe",
        ),
    ],
)
def test_another_schema_is_refused_with_advice(
    database: Database, change: str, advice: str
) -> None:
    with database.transaction() as session:
        session.execute(text(change))
    with pytest.raises(SchemaVersionError, match=advice):
        database.check_schema()
