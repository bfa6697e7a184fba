"""`chordscribe result JOB`: shows or writes what became of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.options import Format
from coordinator.cli.terminal import err, out, print_json, status_line


def result(
    job: Annotated[str, typer.Argument(help="A job's id, or the beginning of it.")],
    kind: Annotated[
        Format | None, typer.Option("--format", "-f", help="Format of the result.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write it into.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show a finished job's merged transcript and comparison, or write it as a file."""
    from coordinator.cli.exports import rendered, write_result  # noqa: PLC0415  # fast `--help`
    from coordinator.cli.render import show_report  # noqa: PLC0415
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        job_id = client.find(job)
        view, report = client.status(job_id), client.result(job_id)
    if output is not None:
        chosen = kind.value if kind else output.suffix.lstrip(".").lower() or Format.TXT.value
        write_result(rendered(report, chosen), output)
        err().print(f"wrote {output}", markup=False)
    elif as_json:
        print_json(report)
    elif kind is not None:
        out().print(rendered(report, kind.value), markup=False)
    else:
        show_report(out(), view, report)
    if view.degraded:
        raise typer.Exit(3)
