"""The command `chordscribe quota set`."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.terminal import err, out, status_line
from schemas.errors import UsageError
from schemas.scheduling import Priority

quota = typer.Typer(add_completion=False, no_args_is_help=True, help="Who may use how much.")


@quota.callback()
def _quota() -> None:
    """Who may use how much."""


@quota.command("set")
def set_(
    owner: Annotated[str | None, typer.Option("--owner", help="Whose quota to set.")] = None,
    engine: Annotated[str | None, typer.Option("--engine", help="Which engine's.")] = None,
    weight: Annotated[
        float | None, typer.Option("--weight", help="An owner's share against the others'.")
    ] = None,
    max_running: Annotated[
        int | None, typer.Option("--max-running", help="Runs that an engine is given at a time.")
    ] = None,
    top_priority: Annotated[
        Priority | None, typer.Option("--top-priority", help="The highest an owner may ask for.")
    ] = None,
) -> None:
    """Set what an owner or an engine may use; what is not named stays as it is."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    if (owner is None) == (engine is None):
        message = "name an --owner or an --engine, one of the two"
        raise UsageError(message)
    if engine is not None and (max_running is None or weight is not None or top_priority):
        message = "an engine's quota is --max-running, and only that"
        raise UsageError(message)
    with Client(work=False, on_status=status_line(err())) as client:
        if engine is not None and max_running is not None:
            client.set_engine_quota(engine, max_running)
        elif owner is not None:
            client.set_owner_quota(
                owner, weight=weight, max_running=max_running, top_priority=top_priority
            )
    out().print("set")
