"""`chordscribe cache …`: shows what engines need not hear again, or forgets it."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.terminal import err, out, print_json, status_line

cache = typer.Typer(
    help="What engines need not hear again.", no_args_is_help=True, add_completion=False
)


@cache.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show how many transcripts may answer others, how large they are, how often they did."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.forgetting import count_cache  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        view = count_cache(client.database)
    if as_json:
        print_json(view)
    else:
        out().print(
            f"{view.entries} transcripts, {view.bytes:,} bytes · "
            f"hits {view.hits} · misses {view.misses}",
            markup=False,
        )


@cache.command()
def clear() -> None:
    """Forget all; the jobs keep their transcripts."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.forgetting import forget  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        count = forget(client.database, 0, 0.0)
    out().print(f"{count} forgotten")
