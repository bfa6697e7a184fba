"""`chordscribe compare JOB` or `compare FILE FILE…`."""

from __future__ import annotations

from typing import Annotated

import typer

from aggregation.cli.sources import from_files, from_job, is_files, ledger


def compare(
    sources: Annotated[
        list[str], typer.Argument(help="A job (or the beginning of its id), or transcript files.")
    ],
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Language of the files, such as en, zh.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every difference, in the recording's order.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Compare what the engines of a job heard, or files: txt, srt, vtt, ctm, Whisper, FunASR."""
    from aggregation.cli.output import console, rendered, write  # noqa: PLC0415  # fast `--help`
    from aggregation.cli.show import show  # noqa: PLC0415
    from aggregation.pipeline import make_report  # noqa: PLC0415

    if is_files(sources):
        report = make_report(from_files(sources, language))
    else:
        with ledger() as database:
            report = make_report(from_job(database, sources[0]))
    if as_json:
        write(rendered(report, "json"), None)
    else:
        show(console(), report, everything=everything)
