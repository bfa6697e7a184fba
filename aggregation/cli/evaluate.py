"""`chordscribe evaluate JOB REFERENCE`: word error rates, remembered for later merges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggregation.cli.sources import from_job, ledger


def evaluate(
    job: Annotated[str, typer.Argument(help="A job's id, or the beginning of it.")],
    reference: Annotated[Path, typer.Argument(help="The true transcript: txt, srt, vtt, json.")],
    keep: Annotated[bool, typer.Option(help="Remember the result as the engines' record.")] = True,
) -> None:
    """Count each engine's word errors against a reference, and those of the merge."""
    from rich.table import Table  # noqa: PLC0415  # fast `--help`

    from aggregation import records  # noqa: PLC0415
    from aggregation.cli.output import console  # noqa: PLC0415
    from aggregation.evaluate import evaluate_report  # noqa: PLC0415
    from aggregation.formats.read import read_transcript  # noqa: PLC0415
    from aggregation.pipeline import make_report  # noqa: PLC0415

    truth = read_transcript(reference)
    with ledger() as database:
        report = make_report(from_job(database, job))
        errors = evaluate_report(report, truth.text)
        if keep:
            engines = {engine.engine: errors[engine.engine] for engine in report.engines}
            with database.transaction() as session:
                records.save_evaluation(session, report.job_id, report.language, engines)
    table = Table("", "WER", "errors", "words", box=None, pad_edge=False)
    for name, (wrong, words) in sorted(errors.items(), key=lambda item: item[1]):
        table.add_row(name, f"{100 * wrong / max(words, 1):.2f} %", str(wrong), str(words))
    console().print(table)
