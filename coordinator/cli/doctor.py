"""`chordscribe doctor`: shows whether this machine can do the whole job."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.terminal import err, out, print_json, status_line

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check this machine, then run a one-second job through the whole system."""
    from coordinator.doctor import Level, examine  # noqa: PLC0415  # keeps `--help` fast
    from schemas.settings import load_settings  # noqa: PLC0415

    checks = []
    for check in examine(load_settings(), status_line(err())):
        checks.append(check)
        if not as_json:
            colour = _COLOURS[check.level]
            out().print(f"[{colour}]{check.level:>8}[/{colour}]  ", end="")
            out().print(f"{check.name}: {check.message}", markup=False)
    if as_json:
        print_json({"checks": [check.model_dump(mode="json") for check in checks]})
    if any(check.level is Level.FAILED for check in checks):
        raise typer.Exit(1)
