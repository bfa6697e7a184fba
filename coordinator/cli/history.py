"""`chordscribe history`: shows what was done, or the whole story of one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.terminal import clock, err, out, print_json, status_line
from schemas.jobs import JobState

if TYPE_CHECKING:
    from schemas.history import HistoryEntry, HistoryPage, JobStory

#: The longest passage that a page shows, in characters.
PASSAGE_CHARACTERS = 90


def history(
    job: Annotated[
        str | None, typer.Argument(help="A job's id: its whole story; none: a page of all jobs.")
    ] = None,
    state: Annotated[
        list[JobState] | None, typer.Option("--state", help="Only such jobs, repeatable.")
    ] = None,
    engine: Annotated[str | None, typer.Option("--engine", help="That were asked of it.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only this owner's.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Only this batch's.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Submitted since: 90m, 7d, 2026-11-24.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Submitted before.")] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", "-t", help='In which somebody says: words, "a phrase", or, -not.'),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many.")] = 20,
    after: Annotated[
        str | None, typer.Option("--after", help="The next page: what this one ended with.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what was done, the newest first, or the whole story of one job."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.history import read_past  # noqa: PLC0415

    with Client(work=False, on_status=status_line(err())) as client:
        if job is not None:
            story = client.story(client.find(job))
            print_json(story) if as_json else _show_story(story)
            return
        page = client.history(
            states=tuple(state or ()),
            engine=engine,
            owner=owner,
            batch=client.find_batch(batch) if batch else None,
            since=read_past(since),
            until=read_past(until),
            text=text,
            limit=limit,
            after=after,
        )
    print_json(page) if as_json else _show_page(page)


def _show_page(page: HistoryPage) -> None:
    from rich.markup import escape  # noqa: PLC0415  # keeps `--help` fast
    from rich.table import Table  # noqa: PLC0415

    table = Table("job", "recording", "length", "engines", "state", "owner", "agree", box=None)
    table.add_column("submitted (UTC)")
    for entry in page.entries:
        table.add_row(
            entry.id.hex[:8],
            escape(entry.name),
            clock(entry.audio_seconds) if entry.audio_seconds is not None else "",
            ", ".join(entry.engines),
            _state(entry),
            escape(entry.owner),
            f"{entry.similarity:.0%}" if entry.similarity is not None else "",
            f"{entry.created_at:%Y-%m-%d %H:%M:%S}",
        )
        if entry.passage is not None:
            at = clock(entry.passage.start) if entry.passage.start is not None else "?"
            said = entry.passage.text.strip()[:PASSAGE_CHARACTERS]
            table.add_row("", f"[dim]at {at}  {escape(said)}[/dim]")
    out().print(table if page.entries else "no jobs")
    if page.next is not None:
        out().print(f"more: --after {page.next}", style="dim", markup=False)


def _state(entry: HistoryEntry) -> str:
    marks = [str(entry.failure)] if entry.failure else []
    marks += ["degraded"] if entry.degraded else []
    marks += [f"erased: {', '.join(entry.erased)}"] if entry.erased else []
    return f"{entry.state} ({'; '.join(marks)})" if marks else str(entry.state)


def _show_story(story: JobStory) -> None:
    from coordinator.cli.render import show_job, show_report  # noqa: PLC0415  # as above

    console = out()
    show_job(console, story.job)
    if story.media is not None:
        media = story.media
        console.print(
            f"recording: {clock(media.seconds)}, {media.codec} in {media.container}, "
            f"{media.sample_rate} Hz, {media.channels} channels",
            markup=False,
        )
    if story.job.erased:
        console.print(f"erased: {', '.join(story.job.erased)}", markup=False)
    times = story.timings.model_dump(exclude_none=True)
    console.print("times: " + " · ".join(f"{name} {s:.1f} s" for name, s in times.items()))
    for attempt in story.attempts:
        began = f"{attempt.started_at:%H:%M:%S}" if attempt.started_at else "never begun"
        ended = f"{attempt.ended_at:%H:%M:%S}" if attempt.ended_at else "goes on"
        words = (attempt.engine, f"attempt {attempt.attempt}", attempt.worker or "no worker")
        why = f": {attempt.why}" if attempt.why else ""
        line = f"{' · '.join(words)} · {began} to {ended}, {attempt.outcome or 'running'}{why}"
        console.print(line, markup=False)
    for event in story.events:
        details = " ".join(f"{name}={value}" for name, value in event.data.items())
        at = f"{event.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
        console.print(f"{at}  {event.kind}  {details}".rstrip(), markup=False)
    if story.report is not None:
        console.print()
        show_report(console, story.job, story.report)
