"""Shows a report in the terminal as a person wants to read it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.report import Difference, DifferenceKind, Report

#: Which kinds of difference matter most to a reader, the weightiest first.
WEIGHT = {
    DifferenceKind.NUMBER: 5,
    DifferenceKind.NAME: 4,
    DifferenceKind.SUBSTITUTION: 3,
    DifferenceKind.DELETION: 2,
    DifferenceKind.INSERTION: 2,
    DifferenceKind.HOMOPHONE: 2,
    DifferenceKind.SPELLING: 1,
    DifferenceKind.FILLER: 0,
}
#: Differences that are shown unless all are wanted.
SHOWN = 20
#: The longest reading that is shown, in characters.
READING_CHARACTERS = 60
SECONDS_A_MINUTE = 60


def show(console: Console, report: Report, *, everything: bool = False) -> None:
    """Print the engines, how they agree, what they differ in, whom to trust."""
    console.print(_engines(report))
    if report.comparison.pairs:
        console.print(_pairs(report))
    _findings(console, report)
    _differences(console, report, everything=everything)
    recommended = report.recommendation
    console.print(
        Text.assemble(
            "\nTrust ", (recommended.engine, "bold green"), f" ({recommended.confidence:.0%} sure)"
        )
    )
    for reason in recommended.reasons:
        console.print(f"  · {reason}", markup=False)
    if report.language_reason:
        console.print(f"  language: {report.language_reason}", style="dim", markup=False)
    for missing in report.missing:
        console.print(
            f"  {missing.engine} is missing: {missing.failure.message}",
            style="yellow",
            markup=False,
        )


def _engines(report: Report) -> Table:
    table = Table("engine", box=None, pad_edge=False, title="Engines", title_justify="left")
    for column in ("words", "agrees", "kept", "text", "times", "sure", "overall", "est. WER"):
        table.add_column(column, justify="right")
    words = {engine.engine: engine.words for engine in report.engines}
    for quality in sorted(report.quality, key=lambda q: -(q.overall or 0)):
        table.add_row(
            Text(quality.engine),
            str(words[quality.engine]),
            *(
                _share(value)
                for value in (
                    quality.agreement,
                    quality.kept,
                    quality.text_quality,
                    quality.timestamp_precision,
                    quality.confidence_reliability,
                    quality.overall,
                    quality.estimated_wer,
                )
            ),
        )
    return table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _pairs(report: Report) -> Table:
    table = Table("pair", box=None, pad_edge=False, title="\nAgreement", title_justify="left")
    for column in ("similar", "WER →", "WER ←", "BLEU", "meaning", "offset", "in 0.2 s"):
        table.add_column(column, justify="right")
    for pair in report.comparison.pairs:
        timing = pair.timing
        table.add_row(
            Text(f"{pair.first} · {pair.second}"),
            _share(pair.similarity),
            _share(pair.wer_of_second),
            _share(pair.wer_of_first),
            f"{100 * pair.bleu:.1f}",
            _share(pair.semantic),
            "–" if timing is None else f"{timing.offset_seconds:+.2f} s",
            "–" if timing is None else _share(timing.within_200_ms),
        )
    return table


def _findings(console: Console, report: Report) -> None:
    for finding in report.findings:
        at = "" if finding.start is None else f" at {clock(finding.start)}"
        what = f"{finding.engine}: {finding.kind.value}{at}, {finding.words} words"
        line = f"{what} ({', '.join(finding.reasons)}) {_short(finding.text)}"
        console.print(line.rstrip(), style="yellow", markup=False)


def _differences(console: Console, report: Report, *, everything: bool) -> None:
    differences = report.comparison.differences
    if not differences:
        console.print("\nAll engines agree on every word.")
        return
    ranked = sorted(differences, key=lambda d: (-WEIGHT[d.kind], d.support, d.position))
    shown = differences if everything else ranked[:SHOWN]
    title = f"\n{len(differences)} differences"
    if len(shown) < len(differences):
        title += f", the {len(shown)} that matter most (--all shows every one)"
    engines = sorted(differences[0].readings)
    table = Table("at", "kind", box=None, pad_edge=False, title=title, title_justify="left")
    for engine in engines:
        table.add_column(Text(engine), overflow="fold")
    table.add_column("merged", overflow="fold")
    for difference in shown:
        at = f"#{difference.position}" if difference.start is None else clock(difference.start)
        readings = [_reading(difference, engine) for engine in engines]
        table.add_row(at, difference.kind.value, *readings, Text(_short(difference.chosen)))
    console.print(table)


def _reading(difference: Difference, engine: str) -> Text:
    reading = difference.readings[engine]
    same = reading.strip(".,?! ").lower() == difference.chosen.strip(".,?! ").lower()
    return Text(_short(reading) or "–", style="green" if same else "red")


def _short(text: str) -> str:
    if len(text) <= READING_CHARACTERS:
        return text
    return text[: READING_CHARACTERS - 1] + "…"


def clock(seconds: float) -> str:
    """Return `m:ss.t`."""
    minutes, rest = divmod(seconds, SECONDS_A_MINUTE)
    return f"{int(minutes)}:{rest:04.1f}"
