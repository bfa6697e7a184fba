"""The commands that hold jobs back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.errors import UsageError

JobArgument = Annotated[
    str | None, typer.Argument(help="A job's id, or the beginning of it.", show_default=False)
]
BatchOption = Annotated[UUID | None, typer.Option("--batch", help="A batch's id: all its jobs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def pause(job: JobArgument = None, batch: BatchOption = None, as_json: JsonOption = False) -> None:
    """Start nothing more of a job or a batch; engines that run finish what they are at."""
    _change("pause", job, batch, as_json=as_json)


def resume(job: JobArgument = None, batch: BatchOption = None, as_json: JsonOption = False) -> None:
    """Let a paused job or batch go on."""
    _change("resume", job, batch, as_json=as_json)


def _change(what: str, job: str | None, batch: UUID | None, *, as_json: bool) -> None:
    from coordinator.cli.render import show_job  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.client import Client  # noqa: PLC0415

    if (job is None) == (batch is None):
        message = f"name a job or a batch to {what}, one of the two"
        raise UsageError(message)
    with Client(work=False, on_status=status_line(err())) as client:
        if batch is not None:
            changed = client.pause_batch(batch) if what == "pause" else client.resume_batch(batch)
            if as_json:
                print_json({"batch": str(batch), "changed": changed})
            else:
                out().print(f"{what}d {changed} jobs")
            return
        job_id = client.find(job or "")
        view = client.pause(job_id) if what == "pause" else client.resume(job_id)
    if as_json:
        print_json(view)
    else:
        show_job(out(), view)
