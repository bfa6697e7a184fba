"""The command `chordscribe engines`."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine_workers.catalogue import describe
from engine_workers.errors import NotInstalledError
from schemas.engines import EngineStatus
from schemas.settings import load_settings

#: Columns of a table that no terminal shows: wide enough for a sentence in each row.
PLAIN_COLUMNS = 250
#: Bytes in a megabyte.
MEGABYTE = 10**6

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Name = Annotated[str, typer.Argument(help="The engine's name.")]

engines = typer.Typer(
    help="The engines that installed packages bring: list, show, check.", add_completion=False
)


@engines.callback(invoke_without_command=True)
def default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the engines that installed packages bring, and what keeps some from running."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


@engines.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the engines, and what keeps some from running."""
    found = describe(load_settings())
    if as_json:
        _print_json({"engines": [status.model_dump(mode="json") for status in found]})
        return
    width = None if sys.stdout.isatty() else PLAIN_COLUMNS
    Console(highlight=False, width=width).print(_table(found))


@engines.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show one engine: its package, languages, devices, model, its figures when last checked."""
    from engine_workers.trial import measured_before  # noqa: PLC0415  # it needs numpy

    settings = load_settings()
    status = _status(name)
    measured = measured_before(settings.models_root).get(name)
    facts: dict[str, Any] = {
        **status.model_dump(mode="json"),
        "measured": measured.model_dump(mode="json") if measured else None,
    }
    if as_json:
        _print_json(facts)
        return
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        if key == "measured" and measured:
            shown = (
                f"{measured.rtf}× real time, {measured.memory_bytes / MEGABYTE:.0f} MB, "
                f"loaded in {measured.load_seconds:.1f} s, with {measured.model}"
            )
        print(f"{key:<12} {'–' if shown in {None, ''} else shown}")


@engines.command()
def check(name: Name, *, as_json: AsJson = False) -> None:
    """Load an engine's model and let it hear a second of sound: real time factor and memory."""
    from engine_workers.trial import measure_apart  # noqa: PLC0415  # it needs numpy

    status = _status(name)
    if status.problem is not None:
        raise NotInstalledError(status.problem)
    measured = measure_apart(name, load_settings())
    if as_json:
        _print_json(measured.model_dump(mode="json"))
        return
    print(
        f"{name} works: model {measured.model or '–'}, {measured.rtf}× real time, "
        f"{measured.memory_bytes / MEGABYTE:.0f} MB, loaded in {measured.load_seconds:.1f} s"
    )


def _status(name: str) -> EngineStatus:
    found = {status.name: status for status in describe(load_settings())}
    if name not in found:
        message = f"there is no engine '{name}'; known: {', '.join(found)}"
        raise NotInstalledError(message)
    return found[name]


def _table(found: list[EngineStatus]) -> Table:
    table = Table("Engine", "State", "Languages", "Devices", "Model", box=None, pad_edge=False)
    for status in found:
        if status.problem is None:
            state = "[dim]for tests[/dim]" if status.testing else "[green]ready[/green]"
        else:
            colour = "yellow" if status.installed else "red"
            state = f"[{colour}]{escape(status.problem)}[/{colour}]"
        table.add_row(
            escape(status.name),
            state,
            ", ".join(status.languages),
            ", ".join(status.devices),
            escape(status.model or ""),
        )
    return table


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
