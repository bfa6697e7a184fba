"""`chordscribe batch …`: shows batches, follows them, changes them, writes their results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.options import Format, engine_names
from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.errors import UsageError
from schemas.jobs import JobState

if TYPE_CHECKING:
    from coordinator.client import Client
    from schemas.batches import BatchView

batch = typer.Typer(
    help="Many recordings submitted together.", no_args_is_help=True, add_completion=False
)

BatchArgument = Annotated[str, typer.Argument(help="A batch's id, its beginning, or its name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _client() -> Client:
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    return Client(work=False, on_status=status_line(err()))


@batch.command()
def status(
    reference: Annotated[str | None, typer.Argument(help="A batch; none: the newest.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many of a batch's jobs stand where, or the newest batches."""
    with _client() as client:
        views = client.batches() if reference is None else (_view(client, reference),)
    if as_json and reference is not None:
        print_json(views[0])
    elif as_json:
        print_json({"batches": [view.model_dump(mode="json") for view in views]})
    else:
        for view in views:
            out().print(line(view), markup=False)


@batch.command()
def watch(
    reference: BatchArgument,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait at most.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a batch until all its jobs have ended; exit code 3 when some failed."""
    from coordinator.cli.following import follow_batch  # noqa: PLC0415  # keeps `--help` fast

    with _client() as client:
        view = follow_batch(client, client.find_batch(reference), timeout)
    if as_json:
        print_json(view)
    else:
        out().print(line(view), markup=False)
    if view.counts[JobState.COMPLETED] < view.total:
        raise typer.Exit(3)


@batch.command()
def cancel(reference: BatchArgument, as_json: JsonOption = False) -> None:
    """Cancel what has not ended of a batch."""
    with _client() as client:
        batch_id = client.find_batch(reference)
        count = client.cancel_batch(batch_id)
    _tell(batch_id, "cancelled", count, as_json=as_json)


@batch.command(name="retry-failed")
def retry_failed(
    reference: BatchArgument,
    degraded: Annotated[
        bool, typer.Option("--degraded", help="Those too that miss an engine's answer.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Try a batch's failed jobs again; engines that answered are not asked again."""
    with _client() as client:
        batch_id = client.find_batch(reference)
        count = client.retry_failed(batch_id, degraded=degraded)
    _tell(batch_id, "retried", count, as_json=as_json)


@batch.command()
def export(
    reference: BatchArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")],
    kind: Annotated[Format, typer.Option("--format", "-f", help="Format.")] = Format.TXT,
    as_json: JsonOption = False,
) -> None:
    """Write the results of a batch's completed jobs, a file each, named as their sources are."""
    from coordinator.cli.exports import rendered, write_result  # noqa: PLC0415

    count = 0
    with _client() as client:
        batch_id = client.find_batch(reference)
        for result in client.batch_results(batch_id):
            text = rendered(result.report, kind.value)
            write_result(text, output / f"{result.stem}.{kind.value}")
            count += 1
    _tell(batch_id, "exported", count, as_json=as_json)


def add_engine(
    reference: Annotated[str, typer.Argument(help="A job or a batch that has ended.")],
    engines: Annotated[str, typer.Argument(help="Engines, separated by commas.")],
    as_json: JsonOption = False,
) -> None:
    """Have one more engine hear what others have; only it runs, then all are compared anew."""
    from coordinator.errors import BatchNotFoundError  # noqa: PLC0415  # keeps `--help` fast

    names = engine_names(engines)
    if not names:
        message = "no engine is named"
        raise UsageError(message)
    with _client() as client:
        try:
            batch_id = client.find_batch(reference)
        except BatchNotFoundError:
            job = client.add_engines_to_job(client.find(reference), names)
            if job is None:
                message = "nothing to do: the job has these engines, or another took its place"
                raise UsageError(message) from None
            if as_json:
                print_json({"job": str(job)})
            else:
                out().print(str(job))
            return
        count = client.add_engines(batch_id, names)
    _tell(batch_id, "added", count, as_json=as_json)


def line(view: BatchView) -> str:
    """Write a batch in one line."""
    counts = " · ".join(f"{state} {count}" for state, count in view.counts.items() if count)
    marks = [
        name for name, is_so in (("paused", view.paused), ("sealed", view.sealed)) if is_so
    ] + ([f"{view.degraded} degraded"] if view.degraded else [])
    more = f" ({', '.join(marks)})" if marks else ""
    label = f"  {view.label}" if view.label else ""
    return f"{view.id}  {counts or 'empty'}{more}{label}"


def _view(client: Client, reference: str) -> BatchView:
    return client.batch(client.find_batch(reference))


def _tell(batch_id: object, what: str, count: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"batch": str(batch_id), what: count})
    else:
        out().print(f"{count} {what}")
