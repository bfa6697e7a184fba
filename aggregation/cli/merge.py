"""`chordscribe merge JOB` or `merge FILE FILE…`: merges anew, without running an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggregation.cli.sources import from_files, from_job, is_files, ledger


def merge(
    sources: Annotated[
        list[str], typer.Argument(help="A job (or the beginning of its id), or transcript files.")
    ],
    strategy: Annotated[
        str, typer.Option("--strategy", "-s", help="How: learned, weighted, rover, segment, …")
    ] = "learned",
    kind: Annotated[
        str | None, typer.Option("--format", "-f", help="Format: txt, json, srt, vtt.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write into.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Language of the files, such as en, zh.")
    ] = None,
) -> None:
    """Merge a job's stored transcripts, or files, by any strategy; the job's report stays."""
    from aggregation.cli.output import rendered, write  # noqa: PLC0415  # fast `--help`
    from aggregation.merge.registry import load_strategy  # noqa: PLC0415
    from aggregation.pipeline import make_report  # noqa: PLC0415

    load_strategy(strategy)  # a wrong name is told before anything is read
    if is_files(sources):
        report = make_report(from_files(sources, language, strategy))
    else:
        with ledger() as database:
            report = make_report(from_job(database, sources[0], strategy))
    suffix = output.suffix.lstrip(".").lower() if output else ""
    write(rendered(report, kind or suffix or "txt"), output)
