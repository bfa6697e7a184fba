"""Brings the ledger's schema forward: `python -m ops.migrate [--pre | --to 0007]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from ops.phases import applied_revision, harmless
from schemas.database import database_url
from schemas.errors import ChordscribeError
from schemas.settings import Settings, load_settings

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(settings: Settings, migrations: Path = MIGRATIONS) -> Config:
    """Return alembic's configuration for the database that `settings` name."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["url"] = database_url(settings)
    return config


def upgrade(settings: Settings, migrations: Path = MIGRATIONS) -> None:
    """Apply every migration that the database lacks; several processes may call it at once.

    Raises:
        ConfigurationError: no database is configured.
        sqlalchemy.exc.OperationalError: the server cannot be reached.
    """
    command.upgrade(alembic_config(settings, migrations), "head")


def upgrade_under_work(settings: Settings, migrations: Path = MIGRATIONS) -> list[str]:
    """Apply what programs that work on the database do not notice; return what is left to apply.

    Nobody works on an empty database: it gets every migration.

    Raises:
        ConfigurationError: no database is configured.
        sqlalchemy.exc.OperationalError: the server cannot be reached.
    """
    config = alembic_config(settings, migrations)
    scripts = ScriptDirectory.from_config(config)
    engine = create_engine(config.attributes["url"], poolclass=NullPool)
    with engine.connect() as connection:
        applied = applied_revision(connection)
    if applied is None:
        command.upgrade(config, "head")
        return []
    for revision in harmless(scripts, applied):
        command.upgrade(config, revision)
        applied = revision
    return [it.revision for it in reversed(list(scripts.iterate_revisions("head", applied)))]


def bring_to(settings: Settings, revision: str) -> None:
    """Bring a database to a migration; `base` leaves nothing of the ledger, nor its data.

    Raises:
        ConfigurationError: no database is configured.
        sqlalchemy.exc.OperationalError: the server cannot be reached.
    """
    if revision == "base":
        command.downgrade(alembic_config(settings), revision)
    else:
        command.upgrade(alembic_config(settings), revision)


def main() -> int:
    """Migrate the configured database; return the exit code."""
    parser = argparse.ArgumentParser(prog="ops.migrate")
    asked_for = parser.add_mutually_exclusive_group()
    asked_for.add_argument("--to", default="head", metavar="REVISION")
    asked_for.add_argument("--pre", action="store_true")
    asked = parser.parse_args()
    try:
        if asked.pre:
            left = upgrade_under_work(load_settings())
            if left:
                print(f"left for `chordscribe db upgrade`: {', '.join(left)}")
        else:
            bring_to(load_settings(), asked.to)
    except ChordscribeError as error:
        print(f"chordscribe: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
