"""Live progress bars, one an engine and file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from coordinator.cli.terminal import clock
from schemas.runs import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from rich.console import Console

    from schemas.jobs import JobView
    from schemas.progress import EngineProgress

_LOOK = {
    RunState.QUEUED: "waiting",
    RunState.RUNNING: "listening",
    RunState.SUCCEEDED: "[green]done[/green]",
    RunState.FAILED: "[red]failed[/red]",
    RunState.CANCELLED: "[yellow]cancelled[/yellow]",
}


class Board:
    """Shows how far each engine has come; prints plain lines where there is no terminal."""

    def __init__(self, console: Console, progress: Progress) -> None:
        """Show on `progress`; plain lines go to `console`."""
        self._console = console
        self._progress = progress
        self._bars: dict[tuple[UUID, str], TaskID] = {}
        self._said: dict[tuple[UUID, str], RunState] = {}

    def show(self, view: JobView) -> None:
        """Bring the job's bars up to date."""
        for engine in view.engines:
            key = (view.id, engine.engine)
            if self._console.is_terminal:
                self._move(view, engine)
            elif engine.state.terminal and self._said.get(key) is not engine.state:
                line = f"{view.audio.name}: {engine.engine} {engine.state}"
                self._console.print(line, markup=False)
            self._said[key] = engine.state

    def _move(self, view: JobView, engine: EngineProgress) -> None:
        key = (view.id, engine.engine)
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(
                "", file=escape(view.audio.name), engine=engine.engine, look="", total=None
            )
        done = engine.state is RunState.SUCCEEDED
        total = engine.seconds or (1.0 if engine.state.terminal else None)
        self._progress.update(
            self._bars[key],
            total=total,
            completed=total if done else engine.done_seconds,
            look=look(view, engine),
        )
        if engine.state.terminal:
            self._progress.stop_task(self._bars[key])


def look(view: JobView, engine: EngineProgress) -> str:
    """Return in a few words what an engine is at."""
    if view.preparation is not None:
        return "preparing"
    words = _LOOK[engine.state]
    if engine.chunks > 1:
        words += f", {engine.ended_chunks} of {engine.chunks} parts"
    if engine.missing_chunks and engine.state is RunState.SUCCEEDED:
        words += f", [red]{engine.missing_chunks} missing[/red]"
    if engine.eta_seconds is not None:
        words += f", {clock(engine.eta_seconds)} left"
    return words


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
