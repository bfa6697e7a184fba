"""The commands that ask about jobs or stop them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.jobs import JobState
from schemas.runs import RunState

if TYPE_CHECKING:
    from schemas.queue import JobReason

JobArgument = Annotated[str, typer.Argument(help="A job's id, or the beginning of it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def status(
    job: Annotated[str | None, typer.Argument(help="A job's id; none: an overview.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show where a job and its engines stand, or what there is to do at all."""
    from coordinator.cli.render import show_job, show_jobs, show_line  # noqa: PLC0415
    from coordinator.cli.waiting import show_outages  # noqa: PLC0415
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        if job is not None:
            view = client.status(client.find(job))
            reason = None if view.state.terminal else client.why(view.id)
            if as_json:
                print_json({**view.model_dump(mode="json"), "why": _dumped(reason)})
                return
            show_job(out(), view)
            if reason and any(engine.state is RunState.QUEUED for engine in view.engines):
                show_line(out(), reason)
            return
        counts = client.counts()
        open_jobs = client.list(states=(JobState.RUNNING, JobState.QUEUED))
        outages = client.outages()
    if as_json:
        print_json(
            {
                "counts": {state.value: counts.get(state, 0) for state in JobState},
                "outages": [outage.model_dump(mode="json") for outage in outages],
                "open": [view.model_dump(mode="json") for view in open_jobs],
            }
        )
        return
    out().print(" · ".join(f"{state} {counts.get(state, 0)}" for state in JobState))
    show_outages(out(), outages)
    if open_jobs:
        show_jobs(out(), open_jobs)


def _dumped(reason: JobReason | None) -> dict[str, Any] | None:
    return None if reason is None else reason.model_dump(mode="json")


def list_(
    state: Annotated[
        list[JobState] | None, typer.Option("--state", help="Only such jobs, repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first."""
    from coordinator.cli.render import show_jobs  # noqa: PLC0415
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        views = client.list(states=tuple(state or ()), limit=limit)
    if as_json:
        print_json({"jobs": [view.model_dump(mode="json") for view in views]})
    else:
        show_jobs(out(), views)


def events(job: JobArgument, as_json: JsonOption = False) -> None:
    """Tell a job's story."""
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        story = client.events(client.find(job))
    if as_json:
        print_json({"events": [event.model_dump(mode="json") for event in story]})
        return
    for event in story:
        details = " ".join(f"{name}={value}" for name, value in event.data.items())
        line = f"{event.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
        out().print(f"{line}  {event.kind}  {details}".rstrip(), markup=False)


def cancel(job: JobArgument, as_json: JsonOption = False) -> None:
    """Stop a job: at once when it waits, at each engine's next segment when it runs."""
    from coordinator.cli.render import show_job  # noqa: PLC0415
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        view = client.cancel(client.find(job))
    if as_json:
        print_json(view)
    else:
        show_job(out(), view)
