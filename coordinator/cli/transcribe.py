"""`chordscribe transcribe FILE…`: the main job from file to merged text."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.asking import Scheduling
from coordinator.cli.options import (
    ChannelsOption,
    DeadlineOption,
    Format,
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
from schemas.errors import ChordscribeError, UsageError
from schemas.scheduling import DEFAULT_OWNER, DeadlinePolicy, Priority

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.client import Client
    from schemas.jobs import JobView
    from schemas.report import Report

#: Seconds that running engines have to stop in after Ctrl-C, before the stack is stopped.
CANCEL_SECONDS = 3.0
#: Exit codes.
FAILED, PARTLY = 1, 3


class Asked(Scheduling):
    """What `Client.submit` is asked for every file."""

    engines: tuple[str, ...]
    language: str | None
    options: dict[str, dict[str, object]]
    use_cache: bool
    require_all: bool
    channels: Channels
    join_open: bool


@dataclass
class Outcome:
    """What became of one file."""

    source: str
    job: JobView | None = None
    report: Report | None = None
    error: ChordscribeError | None = None

    def as_json(self) -> dict[str, object]:
        """Return the documented JSON of one file."""
        return {
            "source": self.source,
            "job": self.job.model_dump(mode="json") if self.job else None,
            "report": self.report.model_dump(mode="json") if self.report else None,
            "error": str(self.error) if self.error else None,
        }


@dataclass
class Batch:
    """The files of one call and what became of them."""

    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """Return 0 when every file is whole, 3 when some are, else what went wrong."""
        good = [o for o in self.outcomes if o.report]
        whole = [o for o in good if o.job and not o.job.degraded]
        if len(whole) == len(self.outcomes):
            return 0
        if good:
            return PARTLY
        errors = [o.error for o in self.outcomes]
        usage = all(isinstance(error, UsageError) for error in errors)
        return UsageError.exit_code if usage else FAILED


def transcribe(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Audio or video files; none: the sample that moonshine-voice brings."),
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
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write results into.")
    ] = None,
    kind: Annotated[
        Format | None, typer.Option("--format", "-f", help="Format of the results.")
    ] = None,
    require_all: Annotated[
        bool, typer.Option("--require-all", help="Fail a job that misses any engine's answer.")
    ] = False,
    channels: ChannelsOption = Channels.MIX,
    no_cache: NoCacheOption = False,
    priority: PriorityOption = Priority.NORMAL,
    owner: OwnerOption = DEFAULT_OWNER,
    deadline: DeadlineOption = None,
    deadline_policy: PolicyOption = DeadlinePolicy.BEST_EFFORT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Transcribe recordings with several engines, merge what they heard, show where they differ."""
    sources = files or [_sample()]
    request = Asked(
        engines=engine_names(engines),
        language=language,
        options=engine_options(option or []),
        require_all=require_all,
        use_cache=not no_cache,
        channels=channels,
        join_open=True,
        **scheduling(priority, owner, deadline, deadline_policy),
    )
    batch = Batch()
    with _client(request["engines"], sources) as client:
        for source in sources:
            batch.outcomes.append(_submit(client, source, request))
        try:
            _follow(client, batch)
        except KeyboardInterrupt:
            _cancel(client, batch)
            raise
    _write_out(batch, output, kind, as_json=as_json)
    raise typer.Exit(batch.exit_code)


@contextmanager
def _client(engines: tuple[str, ...], sources: list[str]) -> Iterator[Client]:
    """Start the servers and the workers while we still import what we need to use them."""
    from coordinator.catalogue import choose_engines  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.local.stack import running  # noqa: PLC0415
    from schemas.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    work = any(Path(source).exists() for source in sources)

    def wanted() -> tuple[str, ...]:
        with suppress(UsageError):  # `submit` will tell, for each file
            return choose_engines(settings, engines) if work else ()
        return ()

    def meanwhile() -> None:
        import_module("coordinator.client")

    say = status_line(err())
    with running(settings, engines=wanted, work=work, on_status=say, meanwhile=meanwhile) as stack:
        from coordinator.client import Client  # noqa: PLC0415

        with Client(stack=stack) as client:
            yield client


def _sample() -> str:
    from coordinator.sample import sample_recording  # noqa: PLC0415

    return str(sample_recording())


def _submit(client: Client, source: str, request: Asked) -> Outcome:
    try:
        accepted = client.submit(source, **request)
    except UsageError as error:
        err().print(f"chordscribe: {error}", markup=False)
        return Outcome(source, error=error)
    return Outcome(source, job=accepted)


def _follow(client: Client, batch: Batch) -> None:
    from coordinator.cli.progress import progress_board  # noqa: PLC0415

    waiting = {o.job.id: o for o in batch.outcomes if o.job}
    with progress_board(err()) as board:
        for view in client.watch(*waiting):
            waiting[view.id].job = view
            board.show(view)
    for job_id, outcome in waiting.items():
        try:
            outcome.report = client.result(job_id)
        except ChordscribeError as error:
            outcome.error = error
            err().print(f"chordscribe: {error}", markup=False)


def _cancel(client: Client, batch: Batch) -> None:
    """Cancel what this call began, so that a person's Ctrl-C leaves no work behind."""
    err().print("cancelling …")
    jobs = [o.job.id for o in batch.outcomes if o.job and not o.job.state.terminal]
    for job_id in jobs:
        client.cancel(job_id)
    with suppress(ChordscribeError):
        for _ in client.watch(*jobs, timeout=CANCEL_SECONDS):
            pass


def _write_out(batch: Batch, output: Path | None, kind: Format | None, *, as_json: bool) -> None:
    from coordinator.cli.exports import rendered, write_result  # noqa: PLC0415
    from coordinator.cli.render import show_report  # noqa: PLC0415

    for outcome in batch.outcomes:
        if not (outcome.report and outcome.job):
            continue
        if output is not None:
            suffix = (kind or Format.TXT).value
            path = output / f"{Path(outcome.source).stem}.{suffix}"
            write_result(rendered(outcome.report, suffix), path)
            err().print(f"wrote {path}", markup=False)
        elif kind is not None and not as_json:
            out().print(rendered(outcome.report, kind.value), markup=False)
        elif not as_json:
            show_report(out(), outcome.job, outcome.report)
    if as_json:
        print_json({"files": [outcome.as_json() for outcome in batch.outcomes]})
