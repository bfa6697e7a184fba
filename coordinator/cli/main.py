"""Assembles the `chordscribe` command; other packages' commands come by entry point, unloaded."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from schemas.errors import ChordscribeError
from schemas.names import GROUP_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

#: Our own commands, in the order that help shows them: name → module and function.
COMMANDS = {
    "transcribe": "coordinator.cli.transcribe:transcribe",
    "submit": "coordinator.cli.submit:submit",
    "batch": "coordinator.cli.batch:batch",
    "add-engine": "coordinator.cli.batch:add_engine",
    "cache": "coordinator.cli.cache:cache",
    "status": "coordinator.cli.jobs:status",
    "result": "coordinator.cli.result:result",
    "list": "coordinator.cli.jobs:list_",
    "history": "coordinator.cli.history:history",
    "events": "coordinator.cli.jobs:events",
    "cancel": "coordinator.cli.jobs:cancel",
    "purge": "coordinator.cli.erasing:purge",
    "forget": "coordinator.cli.erasing:forget",
    "pause": "coordinator.cli.holding:pause",
    "resume": "coordinator.cli.holding:resume",
    "queue": "coordinator.cli.queue:queue",
    "why": "coordinator.cli.queue:why",
    "prioritise": "coordinator.cli.queue:prioritise",
    "quota": "coordinator.cli.quota:quota",
    "backup": "coordinator.cli.backup:backup",
    "move-to": "coordinator.cli.backup:move_to",
    "alerts": "coordinator.cli.alerts:alerts",
    "up": "coordinator.cli.up:up",
    "config": "coordinator.cli.config:config",
    "health": "coordinator.cli.health:health",
    "doctor": "coordinator.cli.doctor:doctor",
    "db": "coordinator.cli.db:db",
}

HELP = """Transcribes every recording with several engines at once, then compares and merges them.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done, 130 interrupted.
"""


class LazyGroup(TyperGroup):
    """Loads a command's module when the command is used, not before."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  # typer's own vendored type
        """Return the names of all commands."""
        del ctx
        foreign = sorted(point.name for point in entry_points(group=GROUP_COMMANDS))
        return [*COMMANDS, *(name for name in foreign if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  # likewise
        """Return a command, or None where there is none of that name."""
        del ctx
        if cmd_name in COMMANDS:
            module, _, function = COMMANDS[cmd_name].partition(":")
            return _command(cmd_name, getattr(import_module(module), function))
        for point in entry_points(group=GROUP_COMMANDS, name=cmd_name):
            return _foreign(point)
        return None


def _command(name: str, target: Callable[..., Any] | typer.Typer) -> Any:  # noqa: ANN401
    if isinstance(target, typer.Typer):
        made = get_command(target)
    else:
        app = typer.Typer(add_completion=False)
        app.command(name)(target)
        made = get_command(app)
    made.name = name
    return made


def _foreign(point: EntryPoint) -> Any:  # noqa: ANN401
    try:
        return _command(point.name, point.load())
    except ImportError as error:
        reason = f"`chordscribe {point.name}` cannot run here: {error}"

        def unavailable() -> None:
            raise ChordscribeError(reason)

        unavailable.__doc__ = f"(not available: {error})"
        return _command(point.name, unavailable)


app = typer.Typer(
    cls=LazyGroup,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting for this command and what it starts, repeatable: `config explain`.",
        ),
    ] = None,
) -> None:
    if settings:
        from coordinator.configuration.overriding import override  # noqa: PLC0415  # else not used

        override(settings)


_root.__doc__ = HELP


def main() -> int:
    """Run the command line; return the exit code, or leave by SystemExit as typer does."""
    try:
        app()
    except ChordscribeError as error:
        print(f"chordscribe: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
