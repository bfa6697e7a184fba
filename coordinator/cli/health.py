"""`chordscribe health`: says by its exit code whether the system gets on."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.terminal import out, print_json

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}
#: The exit codes.
FAILED, WARNED = 1, 3


def health(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look whether the system gets on: 0 all is well, 3 there are warnings, 1 it does not."""
    from coordinator.doctor import Level  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.health.checking import check_health  # noqa: PLC0415  # likewise
    from schemas.settings import load_settings  # noqa: PLC0415  # likewise

    checks = check_health(load_settings())
    levels = {check.level for check in checks}
    if as_json:
        well = Level.FAILED not in levels
        shown = [check.model_dump(mode="json") for check in checks]
        print_json({"healthy": well, "checks": shown})
    else:
        for check in checks:
            colour = _COLOURS[check.level]
            out().print(f"[{colour}]{check.level:>8}[/{colour}]  ", end="")
            out().print(f"{check.name}: {check.message}", markup=False)
    if Level.FAILED in levels:
        raise typer.Exit(FAILED)
    if Level.WARNING in levels:
        raise typer.Exit(WARNED)
