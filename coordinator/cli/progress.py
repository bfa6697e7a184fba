"""Live progress bars, one an engine and file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from schemas.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from rich.console import Console

    from schemas.jobs import JobView
    from schemas.runs import RunView

_LOOK = {
    RunState.QUEUED: "waiting",
    RunState.RUNNING: "listening",
    RunState.SUCCEEDED: "[green]done[/green]",
    RunState.FAILED: "[red]failed[/red]",
    RunState.CANCELLED: "[yellow]cancelled[/yellow]",
}


class Board:
    """Shows how far each run has come; prints plain lines where there is no terminal."""

    def __init__(self, console: Console, progress: Progress) -> None:
        """Show on `progress`; plain lines go to `console`."""
        self._console = console
        self._progress = progress
        self._bars: dict[UUID, TaskID] = {}
        self._said: dict[UUID, RunState] = {}

    def show(self, view: JobView) -> None:
        """Bring the job's bars up to date."""
        for run in view.runs:
            if self._console.is_terminal:
                self._move(view, run)
            elif run.state.terminal and self._said.get(run.id) is not run.state:
                self._console.print(f"{view.audio.name}: {run.engine} {run.state}", markup=False)
            self._said[run.id] = run.state

    def _move(self, view: JobView, run: RunView) -> None:
        if run.id not in self._bars:
            self._bars[run.id] = self._progress.add_task(
                "", file=escape(view.audio.name), engine=run.engine, look="", total=None
            )
        done = run.state is RunState.SUCCEEDED
        total = run.audio_seconds or (1.0 if run.state.terminal else None)
        self._progress.update(
            self._bars[run.id],
            total=total,
            completed=total if done else run.progress_seconds,
            look=_LOOK[run.state],
        )
        if run.state.terminal:
            self._progress.stop_task(self._bars[run.id])


@contextmanager
def progress_board(console: Console) -> Iterator[Board]:
    """Open a board that goes away at the end of the block."""
    columns = (
        TextColumn("{task.fields[file]}"),
        TextColumn("[cyan]{task.fields[engine]}[/cyan]"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[look]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Board(console, progress)
