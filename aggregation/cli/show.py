"""Shows a report in the terminal as a person wants to read it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from aggregation.cli import narrow
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
#: What is shown of each engine, and of every two.
ENGINE_COLUMNS = (
    "engine",
    "words",
    "agrees",
    "kept",
    "text",
    "times",
    "sure",
    "overall",
    "est. WER",
)
PAIR_COLUMNS = ("pair", "similar", "WER →", "WER ←", "BLEU", "meaning", "offset", "in 0.2 s")
#: Characters that a difference's time and kind take.
LEAD_WIDTH = 22


def show(console: Console, report: Report, *, everything: bool = False) -> None:
    """Print the engines, how they agree, what they differ in, whom to trust."""
    _measures(console, "Engines", ENGINE_COLUMNS, _engines(report))
    if report.comparison.pairs:
        _measures(console, "\nAgreement", PAIR_COLUMNS, _pairs(report))
    _findings(console, report)
    _differences(console, report, everything=everything)
    recommended = report.recommendation
    console.print(
        Text.assemble(
            "\nTrust ", (recommended.engine, "bold green"), f" ({recommended.confidence:.0%} sure)"
        )
    )
    for reason in recommended.reasons:
        console.print(Padding(Text(f"· {reason}"), (0, 0, 0, 2)))
    if report.language_reason:
        console.print(Padding(Text(f"language: {report.language_reason}", "dim"), (0, 0, 0, 2)))
    for missing in report.missing:
        console.print(
            f"  {missing.engine} is missing: {missing.failure.message}",
            style="yellow",
            markup=False,
        )


def _measures(
    console: Console, title: str, names: tuple[str, ...], rows: list[tuple[str, ...]]
) -> None:
    """Print a table of short values, or blocks of them where it would not fit."""
    if not narrow.fits(console, names, rows):
        console.print(title, style="italic", markup=False)
        narrow.values(console, names, rows)
        return
    table = Table(names[0], box=None, pad_edge=False, title=title, title_justify="left")
    for name in names[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _engines(report: Report) -> list[tuple[str, ...]]:
    words = {engine.engine: engine.words for engine in report.engines}
    return [
        (
            quality.engine,
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
        for quality in sorted(report.quality, key=lambda q: -(q.overall or 0))
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _pairs(report: Report) -> list[tuple[str, ...]]:
    return [
        (
            f"{pair.first} · {pair.second}",
            _share(pair.similarity),
            _share(pair.wer_of_second),
            _share(pair.wer_of_first),
            f"{100 * pair.bleu:.1f}",
            _share(pair.semantic),
            "–" if pair.timing is None else f"{pair.timing.offset_seconds:+.2f} s",
            "–" if pair.timing is None else _share(pair.timing.within_200_ms),
        )
        for pair in report.comparison.pairs
    ]


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
    if narrow.readable(console, LEAD_WIDTH, len(engines) + 1):
        console.print(_side_by_side(title, engines, shown))
        return
    console.print(title, style="italic", markup=False)
    for difference in shown:
        heading = Text.assemble((_place(difference), "bold"), f"  {difference.kind.value}")
        rows = [(engine, _reading(difference, engine)) for engine in engines]
        narrow.readings(console, heading, [*rows, ("merged", Text(_short(difference.chosen)))])


def _side_by_side(title: str, engines: list[str], shown: Sequence[Difference]) -> Table:
    table = Table("at", "kind", box=None, pad_edge=False, title=title, title_justify="left")
    for name in (*engines, "merged"):
        table.add_column(Text(name), overflow="fold")
    for difference in shown:
        readings = [_reading(difference, engine) for engine in engines]
        chosen = Text(_short(difference.chosen))
        table.add_row(_place(difference), difference.kind.value, *readings, chosen)
    return table


def _place(difference: Difference) -> str:
    return f"#{difference.position}" if difference.start is None else clock(difference.start)


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
