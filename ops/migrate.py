"""Brings the ledger's schema to a migration, the newest: `python -m ops.migrate [--to 0007]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from schemas.database import database_url
from schemas.errors import ChordscribeError
from schemas.settings import Settings, load_settings

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(settings: Settings) -> Config:
    """Return alembic's configuration for the database that `settings` name."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = database_url(settings)
    return config


def upgrade(settings: Settings) -> None:
    """Apply every migration that the database lacks; several processes may call it at once.

    Raises:
        ConfigurationError: no database is configured.
        sqlalchemy.exc.OperationalError: the server cannot be reached.
    """
    command.upgrade(alembic_config(settings), "head")


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
    parser.add_argument("--to", default="head", metavar="REVISION")
    asked = parser.parse_args()
    try:
        bring_to(load_settings(), asked.to)
    except ChordscribeError as error:
        print(f"chordscribe: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
