"""`chordscribe submit`: accepts recordings, one by one or as a batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from coordinator.cli.options import (
    AfterBatchOption,
    AfterOption,
    DeadlineOption,
    FailedDependencyOption,
    NoCacheOption,
    OwnerOption,
    PolicyOption,
    PriorityOption,
    engine_names,
    engine_options,
    scheduling,
)
from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.errors import UsageError
from schemas.scheduling import DEFAULT_OWNER, DeadlinePolicy, FailedDependency, Priority

if TYPE_CHECKING:
    from coordinator.asking import Scheduling
    from coordinator.client import Client
    from schemas.jobs import JobView

#: Exit code when some files were accepted and others were not.
PARTLY = 3


class Asked(NamedTuple):
    """What is asked of every recording."""

    engines: tuple[str, ...]
    language: str | None
    options: dict[str, dict[str, object]]
    use_cache: bool


def submit(
    files: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, patterns, addresses.")
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look through folders in folders, too.")
    ] = False,
    include: Annotated[
        list[str] | None, typer.Option("--include", help="Names to take: '*.mp3', repeatable.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="CSV or JSONL, one recording a row.")
    ] = None,
    engines: Annotated[
        str | None, typer.Option("--engines", "-e", help="Engines, separated by commas.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Language spoken, such as en or zh.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="ENGINE.OPTION=VALUE, repeatable.")
    ] = None,
    no_cache: NoCacheOption = False,
    key: Annotated[
        str | None, typer.Option("--key", help="Idempotency key: the same key is the same job.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Put the jobs into the batch of this name.")
    ] = None,
    priority: PriorityOption = Priority.NORMAL,
    owner: OwnerOption = DEFAULT_OWNER,
    deadline: DeadlineOption = None,
    deadline_policy: PolicyOption = DeadlinePolicy.BEST_EFFORT,
    after: AfterOption = None,
    after_batch: AfterBatchOption = None,
    on_failed_dependency: FailedDependencyOption = FailedDependency.SKIP,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Accept recordings for transcription and return at once; a running stack works on them.

    A folder, a pattern, a manifest or --batch makes a batch. The same command again goes on with
    it: only what it does not have yet is submitted.
    """
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.sources.walking import is_many  # noqa: PLC0415

    sources = files or []
    if not sources and manifest is None:
        message = "nothing to submit: name files, folders, addresses, or a --manifest"
        raise UsageError(message)
    many = manifest is not None or batch is not None or any(map(is_many, sources))
    if key is not None and (many or len(sources) > 1):
        message = "--key names one job: submit the files one by one"
        raise UsageError(message)
    schedule = scheduling(priority, owner, deadline, deadline_policy)
    asked = Asked(engine_names(engines), language, engine_options(option or []), not no_cache)
    with Client(work=False, on_status=status_line(err())) as client:
        schedule["after"] = [client.find(job) for job in after or []]
        schedule["after_batches"] = after_batch or []
        schedule["on_failed_dependency"] = on_failed_dependency
        if many:
            folders = (recursive, tuple(include or ()))
            _as_batch(client, (sources, manifest, folders, batch), asked, schedule, as_json=as_json)
        else:
            _one_by_one(client, sources, asked, schedule, key=key, as_json=as_json)


def _as_batch(
    client: Client,
    where: tuple[list[str], Path | None, tuple[bool, tuple[str, ...]], str | None],
    asked: Asked,
    schedule: Scheduling,
    *,
    as_json: bool,
) -> None:
    from coordinator.batches.wanted import Order  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.cli.filling import fill_batch  # noqa: PLC0415
    from coordinator.sources.walking import Folders  # noqa: PLC0415

    sources, manifest, folders, label = where
    order = Order(
        client.settings,
        sources,
        manifest,
        Folders(*folders),
        schedule=schedule,
        label=label,
        **asked._asdict(),
    )
    raise typer.Exit(fill_batch(client, order, as_json=as_json))


def _one_by_one(
    client: Client,
    sources: list[str],
    asked: Asked,
    schedule: Scheduling,
    *,
    key: str | None,
    as_json: bool,
) -> None:
    accepted: list[JobView] = []
    for source in sources:
        try:
            view = client.submit(
                source,
                **asked._asdict(),
                idempotency_key=key,
                **schedule,
            )
        except UsageError as error:
            err().print(f"chordscribe: {error}", markup=False)
            continue
        accepted.append(view)
    if as_json:
        jobs: list[object] = [view.model_dump(mode="json") for view in accepted]
        print_json({"batch": None, "jobs": jobs})
    for view in accepted if not as_json else ():
        out().print(str(view.id))
    say_if_idle(client, len(accepted))
    if len(accepted) < len(sources):
        raise typer.Exit(PARTLY if accepted else UsageError.exit_code)


def say_if_idle(client: Client, accepted: int) -> None:
    """Say that nobody works on what was accepted, if nobody does."""
    if accepted and client.stack.embedded and not client.stack.reused:
        err().print("queued; `chordscribe up` works on it", style="dim")
