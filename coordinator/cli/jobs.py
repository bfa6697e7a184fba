"""The commands that submit jobs, ask about them, stop them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.options import (
    AfterBatchOption,
    AfterOption,
    DeadlineOption,
    FailedDependencyOption,
    OwnerOption,
    PolicyOption,
    PriorityOption,
    engine_names,
    engine_options,
    scheduling,
)
from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.errors import UsageError
from schemas.jobs import JobState
from schemas.scheduling import DEFAULT_OWNER, DeadlinePolicy, FailedDependency, Priority

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.jobs import JobView

JobArgument = Annotated[str, typer.Argument(help="A job's id, or the beginning of it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

#: Exit code when some files were accepted and others were not.
PARTLY = 3


def submit(
    files: Annotated[list[str], typer.Argument(help="Audio or video files.")],
    engines: Annotated[
        str | None, typer.Option("--engines", "-e", help="Engines, separated by commas.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Language spoken, such as en or zh.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="ENGINE.OPTION=VALUE, repeatable.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Idempotency key: the same key is the same job.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Put the jobs into a new batch of this name.")
    ] = None,
    priority: PriorityOption = Priority.NORMAL,
    owner: OwnerOption = DEFAULT_OWNER,
    deadline: DeadlineOption = None,
    deadline_policy: PolicyOption = DeadlinePolicy.BEST_EFFORT,
    after: AfterOption = None,
    after_batch: AfterBatchOption = None,
    on_failed_dependency: FailedDependencyOption = FailedDependency.SKIP,
    as_json: JsonOption = False,
) -> None:
    """Accept recordings for transcription and return at once; a running stack works on them."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    if key is not None and len(files) > 1:
        message = "--key names one job: submit the files one by one"
        raise UsageError(message)
    names, options = engine_names(engines), engine_options(option or [])
    schedule = scheduling(priority, owner, deadline, deadline_policy)
    accepted = []
    with Client(work=False, on_status=status_line(err())) as client:
        schedule["after"] = [client.find(job) for job in after or []]
        schedule["after_batches"] = after_batch or []
        schedule["on_failed_dependency"] = on_failed_dependency
        batch_id = client.new_batch(batch) if batch is not None else None
        for source in files:
            try:
                view = client.submit(
                    source,
                    engines=names,
                    language=language,
                    options=options,
                    idempotency_key=key,
                    batch_id=batch_id,
                    **schedule,
                )
            except UsageError as error:
                err().print(f"chordscribe: {error}", markup=False)
                continue
            accepted.append(view)
        idle = client.stack.embedded and not client.stack.reused
    _show_accepted(accepted, batch_id, as_json=as_json)
    if idle and accepted:
        err().print("queued; `chordscribe up` works on it", style="dim")
    if len(accepted) < len(files):
        raise typer.Exit(PARTLY if accepted else UsageError.exit_code)


def _show_accepted(views: list[JobView], batch_id: UUID | None, *, as_json: bool) -> None:
    if as_json:
        jobs: list[object] = [view.model_dump(mode="json") for view in views]
        print_json({"batch": str(batch_id) if batch_id else None, "jobs": jobs})
        return
    for view in views:
        out().print(str(view.id))
    if batch_id is not None:
        err().print(f"batch {batch_id}", markup=False)


def status(
    job: Annotated[str | None, typer.Argument(help="A job's id; none: an overview.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show where a job and its engines stand, or what there is to do at all."""
    from coordinator.cli.render import show_job, show_jobs  # noqa: PLC0415
    from coordinator.client import Client  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        if job is not None:
            view = client.status(client.find(job))
            if as_json:
                print_json(view)
            else:
                show_job(out(), view)
            return
        counts = client.counts()
        open_jobs = client.list(states=(JobState.RUNNING, JobState.QUEUED))
    if as_json:
        print_json(
            {
                "counts": {state.value: counts.get(state, 0) for state in JobState},
                "open": [view.model_dump(mode="json") for view in open_jobs],
            }
        )
        return
    out().print(" · ".join(f"{state} {counts.get(state, 0)}" for state in JobState))
    if open_jobs:
        show_jobs(out(), open_jobs)


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
