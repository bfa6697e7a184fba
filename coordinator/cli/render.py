"""Shows a report or a job to a person at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from coordinator.cli.terminal import clock
from schemas.jobs import JobState
from schemas.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from schemas.jobs import JobView
    from schemas.media import PreparationView
    from schemas.progress import EngineProgress
    from schemas.queue import JobReason
    from schemas.report import Report
    from schemas.runs import RunView

#: The most disagreements that are shown before "and n more".
SHOWN_DIFFERENCES = 5
#: Digits of a job id that a table shows; commands take them as the whole id.
SHORT_ID = 8

_COLOURS = {
    JobState.COMPLETED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "yellow",
    JobState.RUNNING: "cyan",
    JobState.QUEUED: "dim",
}


def short(view: JobView) -> str:
    """Return the beginning of a job's id, enough to name it."""
    return view.id.hex[:SHORT_ID]


def state_text(view: JobView) -> str:
    """Return the job's state with its colour, and what is special about it."""
    extra = " (degraded)" if view.degraded else ""
    if view.paused_at and not view.state.terminal:
        extra = " (paused)"
    if view.cancel_requested_at and not view.state.terminal:
        extra = " (being cancelled)"
    colour = _COLOURS[view.state]
    return f"[{colour}]{view.state}[/{colour}]{extra}"


def show_report(console: Console, view: JobView, report: Report) -> None:
    """Print the merged text, then how far the engines agree and whom to trust."""
    engines = ", ".join(summary.engine for summary in report.engines)
    head = f"{escape(view.audio.name)} · {clock(report.audio_seconds)} · {engines}"
    console.print(f"[bold]{head}[/bold]")
    console.print()
    console.print(escape(report.merged.text) or "[dim](nobody heard a word)[/dim]")
    console.print()
    for missing in report.missing:
        console.print(
            f"[red]Missing[/red]      {missing.engine}: "
            f"{missing.failure.kind}: {escape(missing.failure.message)}"
        )
    _show_agreement(console, report)
    best = report.recommendation
    reasons = "; ".join(best.reasons)
    console.print(
        f"Recommended  [green]{best.engine}[/green] ({best.confidence:.0%} sure): {escape(reasons)}"
    )
    for summary in report.engines:
        speed = f", {summary.rtf:.2f}× real time" if summary.rtf is not None else ""
        console.print(f"             {summary.engine}: {summary.words} words{speed}", style="dim")
    _show_differences(console, report)
    console.print(f"[dim]Job          {short(view)}[/dim]")


def _show_agreement(console: Console, report: Report) -> None:
    count = len(report.comparison.differences)
    if len(report.engines) == 1:
        console.print("Agreement    one engine alone: there is nothing to compare it with")
        return
    places = "place" if count == 1 else "places"
    console.print(
        f"Agreement    {report.comparison.similarity:.0%} between {len(report.engines)} engines, "
        f"who disagree at {count} {places}; merged by '{report.merged.strategy}'"
    )


def _show_differences(console: Console, report: Report) -> None:
    differences = report.comparison.differences
    for difference in differences[:SHOWN_DIFFERENCES]:
        at = clock(difference.start) if difference.start is not None else "?"
        said = " · ".join(
            f"{engine} [cyan]{escape(text) or '–'}[/cyan]"
            for engine, text in difference.readings.items()
        )
        chosen = escape(difference.chosen) or "–"
        console.print(f"  at {at:>7}  {said}  → [green]{chosen}[/green]")
    if len(differences) > SHOWN_DIFFERENCES:
        console.print(f"  … and {len(differences) - SHOWN_DIFFERENCES} more", style="dim")


def show_job(console: Console, view: JobView) -> None:
    """Print where a job and each of its runs stand."""
    console.print(f"[bold]{view.id}[/bold]  {escape(view.audio.name)}  {state_text(view)}")
    if view.failure:
        console.print(f"[red]{view.failure.kind}[/red]: {escape(view.failure.message)}")
    if view.preparation is not None:
        console.print(_preparing(view.preparation))
    table = Table("engine", "state", "heard", "left", "took", "attempts", "remark", box=None)
    for engine in view.engines:
        runs = [run for run in view.runs if run.engine == engine.engine]
        times = [run.processing_seconds for run in runs if run.processing_seconds is not None]
        table.add_row(
            engine.engine,
            engine.state,
            _heard(engine),
            clock(engine.eta_seconds) if engine.eta_seconds is not None else "",
            f"{sum(times):.1f} s" if times else "",
            str(max(run.attempt for run in runs)),
            escape(_remark(engine, runs)),
        )
    console.print(table)


def show_line(console: Console, reason: JobReason) -> None:
    """Print where the first run of each engine that waits stands, when it is expected to begin."""
    told: set[str] = set()
    for run in reason.runs:
        if run.state != RunState.QUEUED.value or run.engine in told:
            continue
        told.add(run.engine)
        place = f"place {run.position} in line, " if run.position else ""
        console.print(f"{run.engine}: {place}{run.reason}", markup=False)
    if reason.expected_end:
        console.print(f"expected to end {reason.expected_end:%Y-%m-%d %H:%M:%S} UTC")


def _preparing(preparation: PreparationView) -> str:
    if preparation.seconds is None:
        return f"preparing the recording: {preparation.state}"
    far = f"{clock(preparation.done_seconds)} of {clock(preparation.seconds)}"
    return f"preparing the recording: {far}"


def _heard(engine: EngineProgress) -> str:
    parts = f", {engine.ended_chunks} of {engine.chunks} parts" if engine.chunks > 1 else ""
    if engine.seconds is None:
        return parts.removeprefix(", ")
    return f"{clock(engine.done_seconds)} of {clock(engine.seconds)}{parts}"


def _remark(engine: EngineProgress, runs: Sequence[RunView]) -> str:
    """Name the first failure, and where it was if the engine hears the recording in parts."""
    failed = next((run for run in runs if run.failure), None)
    if failed is None or failed.failure is None:
        return ""
    where = f"from {clock(failed.chunk_start)}: " if engine.chunks > 1 else ""
    more = f" (and {engine.missing_chunks - 1} more)" if engine.missing_chunks > 1 else ""
    return f"{where}{failed.failure.kind}: {failed.failure.message}{more}"


def show_jobs(console: Console, views: tuple[JobView, ...]) -> None:
    """Print one line a job."""
    table = Table("job", "recording", "engines", "state", "submitted (UTC)", box=None)
    for view in views:
        table.add_row(
            short(view),
            escape(view.audio.name),
            ", ".join(view.request.engines),
            state_text(view),
            f"{view.created_at:%Y-%m-%d %H:%M:%S}",
        )
    console.print(table if views else "no jobs")
