"""The commands that show the queue, explain it, change its order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.scheduling import Priority

if TYPE_CHECKING:
    from rich.console import Console

    from schemas.queue import EngineQueue

JobArgument = Annotated[str, typer.Argument(help="A job's id, or the beginning of it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

#: The largest error that is told, as a logarithm: a factor of a hundred.
MOST_TOLD = math.log(100)
#: Digits of a job id that a table shows; commands take them as the whole id.
SHORT_ID = 8


def queue(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Runs a line.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what waits for each engine, in the order in which it will start."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    with Client(work=False, on_status=status_line(err())) as client:
        lines = client.queue(limit)
    if as_json:
        print_json({"engines": [line.model_dump(mode="json") for line in lines]})
        return
    if not lines:
        out().print("no engine has workers, and nothing waits")
    for line in lines:
        _show(out(), line)


def _show(console: Console, line: EngineQueue) -> None:
    stopped = f"; [red]{escape(_stopped(line))}[/red]" if line.stopped else ""
    error = ""
    if line.estimate_error is not None:
        off = math.expm1(min(line.estimate_error, MOST_TOLD))
        error = f"; half of the estimates are within {off:.0%}"
    console.print(
        f"[bold]{line.engine}[/bold]: {line.waiting} waiting, {line.in_window} with the workers, "
        f"{line.slots} slots{stopped}[dim]{error}[/dim]"
    )
    if not line.runs:
        return
    table = Table("", "job", "recording", "owner", "priority", "needs", "starts (UTC)", box=None)
    for run in line.runs:
        start = f"{run.expected_start:%H:%M:%S}" if run.expected_start else "?"
        priority = f"{run.priority}{' (overdue)' if run.overdue else ''}"
        table.add_row(
            str(run.position),
            run.job_id.hex[:SHORT_ID],
            escape(run.recording),
            run.owner,
            priority,
            f"{run.cost_seconds:.0f} s",
            start,
        )
    console.print(table)


def _stopped(line: EngineQueue) -> str:
    since = f" since {line.stopped_since:%Y-%m-%d %H:%M:%S} UTC" if line.stopped_since else ""
    return f"{'ALERT: ' if line.alert else ''}{line.stopped}{since}"


def why(job: JobArgument, as_json: JsonOption = False) -> None:
    """Explain why a job stands where it does."""
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        reason = client.why(client.find(job))
    if as_json:
        print_json(reason)
        return
    for run in reason.runs:
        out().print(f"{run.engine}: {run.reason}", markup=False)
    if reason.expected_end:
        out().print(f"expected to end {reason.expected_end:%Y-%m-%d %H:%M:%S} UTC")


def prioritise(
    job: JobArgument,
    priority: Annotated[Priority, typer.Argument(help="The new priority.")],
    as_json: JsonOption = False,
) -> None:
    """Change the priority of what still waits of a job."""
    from coordinator.cli.render import show_job  # noqa: PLC0415
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        view = client.prioritise(client.find(job), priority)
    if as_json:
        print_json(view)
    else:
        show_job(out(), view)
