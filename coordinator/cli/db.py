"""`chordscribe db upgrade`: brings a real database server to this version's schema."""

from __future__ import annotations

import subprocess
import sys

import typer

db = typer.Typer(help="Look after the ledger's database.", no_args_is_help=True)


@db.callback()
def _root() -> None:
    """Look after the ledger's database."""


@db.command()
def upgrade() -> None:
    """Bring the database that CHORDSCRIBE_DATABASE_URL names to this version's schema.

    The embedded database is upgraded by itself.
    """
    done = subprocess.run([sys.executable, "-m", "ops.migrate"], check=False)
    raise typer.Exit(done.returncode)
