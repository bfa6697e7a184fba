"""`chordscribe submit`: accepts recordings, one by one or as a batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from coordinator.cli.options import (
    AfterBatchOption,
    AfterOption,
    ChannelsOption,
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
from schemas.audio import Channels
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
    channels: Channels


class Where(NamedTuple):
    """Where the recordings are."""

    sources: list[str]
    manifest: Path | None
    watch: Path | None
    folders: tuple[bool, tuple[str, ...]]
    #: The batch's name.
    batch: str | None
    #: Seconds without a change after which a file that arrived is whole.
    settle: float

    def many(self, key: str | None) -> bool:
        """Return whether it makes a batch.

        Raises:
            UsageError: what was asked does not go together.
        """
        from coordinator.sources.walking import is_many  # noqa: PLC0415  # keeps `--help` fast

        if self.watch is not None and (self.sources or self.manifest is not None):
            message = "--watch takes what arrives in its folder: give no other files"
            raise UsageError(message)
        if not self.sources and self.manifest is None and self.watch is None:
            message = "nothing to submit: name files, folders, addresses, or a --manifest"
            raise UsageError(message)
        single = self.manifest is None and self.watch is None and self.batch is None
        many = not single or any(map(is_many, self.sources))
        if key is not None and (many or len(self.sources) > 1):
            message = "--key names one job: submit the files one by one"
            raise UsageError(message)
        return many


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
    watch: Annotated[
        Path | None,
        typer.Option("--watch", help="Go on with what arrives in this folder, until Ctrl-C."),
    ] = None,
    settle: Annotated[
        float, typer.Option("--settle", min=0.1, help="Seconds after which a file is whole.")
    ] = 5.0,
    engines: Annotated[
        str | None, typer.Option("--engines", "-e", help="Engines, separated by commas.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Language spoken, such as en or zh.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="ENGINE.OPTION=VALUE, repeatable.")
    ] = None,
    channels: ChannelsOption = Channels.MIX,
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

    where = Where(files or [], manifest, watch, (recursive, tuple(include or ())), batch, settle)
    many = where.many(key)
    schedule = scheduling(priority, owner, deadline, deadline_policy)
    options = engine_options(option or [])
    asked = Asked(engine_names(engines), language, options, not no_cache, channels)
    with Client(work=watch is not None, on_status=status_line(err())) as client:
        schedule["after"] = [client.find(job) for job in after or []]
        schedule["after_batches"] = after_batch or []
        schedule["on_failed_dependency"] = on_failed_dependency
        if many:
            _as_batch(client, where, asked, schedule, as_json=as_json)
        else:
            _one_by_one(client, where.sources, asked, schedule, key=key, as_json=as_json)


def _as_batch(
    client: Client, where: Where, asked: Asked, schedule: Scheduling, *, as_json: bool
) -> None:
    from coordinator.batches.wanted import Order  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.cli.filling import fill_batch  # noqa: PLC0415
    from coordinator.cli.inbox import watch_inbox  # noqa: PLC0415
    from coordinator.sources.walking import Folders  # noqa: PLC0415

    order = Order(
        client.settings,
        where.sources if where.watch is None else [str(where.watch)],
        where.manifest,
        Folders(*where.folders),
        schedule=schedule,
        label=where.batch,
        **asked._asdict(),
    )
    if where.watch is not None:
        watch_inbox(client, order, where.settle, as_json=as_json)
    else:
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
