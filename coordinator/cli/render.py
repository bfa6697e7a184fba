"""Shows a report or a job to a person at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from coordinator.cli.terminal import clock
from schemas.jobs import JobState

if TYPE_CHECKING:
    from rich.console import Console

    from schemas.jobs import JobView
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
    table = Table("engine", "state", "heard", "took", "attempts", "remark", box=None)
    for run in view.runs:
        remark = f"{run.failure.kind}: {run.failure.message}" if run.failure else ""
        took = f"{run.processing_seconds:.1f} s" if run.processing_seconds is not None else ""
        table.add_row(run.engine, run.state, _heard(run), took, str(run.attempt), escape(remark))
    console.print(table)


def _heard(run: RunView) -> str:
    if run.audio_seconds is None:
        return ""
    done = run.audio_seconds if run.state == "succeeded" else run.progress_seconds
    return f"{clock(done)} of {clock(run.audio_seconds)}"


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
