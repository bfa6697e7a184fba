"""The commands that erase: `purge` by rules, `forget` one recording."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.errors import UsageError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def purge(
    dry: Annotated[bool, typer.Option("--dry-run", help="Only show what would be erased.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase what the rules of retention let go; the coordinator does so once an hour."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    with Client(work=False, on_status=status_line(err())) as client:
        purged = client.purge(dry=dry)
    if as_json:
        rules = [one.model_dump(mode="json") for one in purged]
        print_json({"dry_run": dry, "rules": rules})
        return
    for one in purged:
        what = ", ".join(one.erase)
        out().print(
            f"rule {one.rule} ({what}): {one.jobs} jobs, {one.recordings} recordings, "
            f"{one.bytes:,} bytes{' would go' if dry else ''}",
            markup=False,
        )
    if not purged:
        out().print("no rules: everything is kept (retention.rules)")


def forget(
    reference: Annotated[str, typer.Argument(help="A recording's SHA-256, or one of its jobs.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a recording, all that was heard in it, what was asked about it, everywhere."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    with Client(work=False, on_status=status_line(err())) as client:
        sha256, jobs = client.find_recording(reference)
        if not yes and not typer.confirm(
            f"Erase the recording {sha256} and what {jobs} jobs heard in it?", err=True
        ):
            message = "nothing was erased"
            raise UsageError(message)
        forgotten = client.forget(sha256)
    if as_json:
        print_json(forgotten)
    else:
        out().print(
            f"forgotten: {forgotten.sha256}, {forgotten.jobs} jobs, {forgotten.files} files, "
            f"{forgotten.bytes:,} bytes",
            markup=False,
        )
