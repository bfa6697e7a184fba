"""`chordscribe db upgrade`: brings a real database server to this version's schema."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

db = typer.Typer(help="Look after the ledger's database.", no_args_is_help=True)


@db.callback()
def _root() -> None:
    """Look after the ledger's database."""


@db.command()
def upgrade(
    pre: Annotated[
        bool, typer.Option("--pre", help="Only what programs that still run do not notice.")
    ] = False,
) -> None:
    """Bring the database that CHORDSCRIBE_DATABASE_URL names to this version's schema.

    Without a stop: `--pre`, then start coordinators and workers anew one after another, then
    once more without `--pre`. The embedded database is upgraded by itself.
    """
    command = [sys.executable, "-m", "ops.migrate", "--pre" if pre else "--to=head"]
    done = subprocess.run(command, check=False)  # noqa: S603  # our own words
    raise typer.Exit(done.returncode)
