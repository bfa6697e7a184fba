"""The commands that hold jobs back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.errors import UsageError

if TYPE_CHECKING:
    from coordinator.client import Client
    from coordinator.steering import Whole

JobArgument = Annotated[
    str | None, typer.Argument(help="A job's id, or the beginning of it.", show_default=False)
]
BatchOption = Annotated[UUID | None, typer.Option("--batch", help="A batch's id: all its jobs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


OwnerOption = Annotated[str | None, typer.Option("--owner", help="All jobs of an owner.")]
EngineOption = Annotated[str | None, typer.Option("--engine", help="All runs of an engine.")]
AllOption = Annotated[bool, typer.Option("--all", help="Everything.")]


def pause(
    job: JobArgument = None,
    batch: BatchOption = None,
    owner: OwnerOption = None,
    engine: EngineOption = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start nothing more of a job, a batch, an owner, an engine, or at all.

    Engines that run finish what they are at.
    """
    _change("pause", _Which(job, batch, owner, engine, everything), as_json=as_json)


def resume(
    job: JobArgument = None,
    batch: BatchOption = None,
    owner: OwnerOption = None,
    engine: EngineOption = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let what was paused go on."""
    _change("resume", _Which(job, batch, owner, engine, everything), as_json=as_json)


@dataclass(frozen=True)
class _Which:
    """What a command names, one of the five."""

    job: str | None
    batch: UUID | None
    owner: str | None
    engine: str | None
    everything: bool

    def whole(self) -> tuple[Whole, str] | None:
        """Return the owner, the engine or all; None where it is a job or a batch."""
        if self.everything:
            return "all", ""
        if self.owner is not None:
            return "owner", self.owner
        return ("engine", self.engine) if self.engine is not None else None

    def check(self, what: str) -> None:
        """Raise UsageError unless exactly one is named."""
        named = (self.job, self.batch, self.owner, self.engine, self.everything or None)
        if sum(one is not None for one in named) != 1:
            message = f"name one thing to {what}: a job, --batch, --owner, --engine or --all"
            raise UsageError(message)


def _change(what: str, which: _Which, *, as_json: bool) -> None:
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    which.check(what)
    with Client(work=False, on_status=status_line(err())) as client:
        whole = which.whole()
        if whole is not None:
            kind, name = whole
            (client.pause_whole if what == "pause" else client.resume_whole)(kind, name)
            if as_json:
                print_json({"kind": kind, "name": name, "paused": what == "pause"})
            else:
                out().print(f"{what}d {kind} {name}".rstrip(), markup=False)
        elif which.batch is not None:
            _change_batch(client, what, which.batch, as_json=as_json)
        else:
            _change_job(client, what, which.job or "", as_json=as_json)


def _change_batch(client: Client, what: str, batch: UUID, *, as_json: bool) -> None:
    changed = client.pause_batch(batch) if what == "pause" else client.resume_batch(batch)
    if as_json:
        print_json({"batch": str(batch), "changed": changed})
    else:
        out().print(f"{what}d {changed} jobs")


def _change_job(client: Client, what: str, job: str, *, as_json: bool) -> None:
    from coordinator.cli.render import show_job  # noqa: PLC0415

    job_id = client.find(job)
    view = client.pause(job_id) if what == "pause" else client.resume(job_id)
    if as_json:
        print_json(view)
    else:
        show_job(out(), view)
