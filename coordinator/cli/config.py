"""`chordscribe config …`: shows, explains, checks, changes the configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli import config_versions
from coordinator.cli.config_writing import opened, tell_moved, tell_overridden, write
from coordinator.cli.terminal import err, out, print_json, status_line

if TYPE_CHECKING:
    from schemas.setting_values import Value

config = typer.Typer(
    help="The configuration: its file, the environment, the command line.",
    no_args_is_help=True,
    add_completion=False,
)

for command in (
    config_versions.history,
    config_versions.rollback,
    config_versions.backup,
    config_versions.restore,
):
    config.command()(command)

#: Columns that a value may push its source to.
SOURCE_COLUMN = 70

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
KeyArgument = Annotated[str, typer.Argument(help="As in the file: a.b.c.")]
SectionArgument = Annotated[str | None, typer.Argument(help="A table or a key; none: all.")]


@config.command()
def show(section: SectionArgument = None, as_json: JsonOption = False) -> None:
    """Show every value with where it comes from; what is secret is masked."""
    from coordinator.configuration.editing import is_section  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.configuration.explaining import the_key  # noqa: PLC0415  # likewise

    if section is not None and not is_section(section):
        the_key(section)
    _print(
        [it for it in _values() if section is None or f"{it.name}.".startswith(f"{section}.")],
        as_json=as_json,
    )


@config.command()
def diff(as_json: JsonOption = False) -> None:
    """Show the values that somebody set, with where."""
    _print([it for it in _values() if it.source != "default"], as_json=as_json)


@config.command()
def get(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Print what one key is; what is secret is masked."""
    from coordinator.configuration.explaining import the_key  # noqa: PLC0415  # keeps `--help` fast
    from schemas.errors import ConfigurationError  # noqa: PLC0415  # likewise
    from schemas.setting_keys import file_name, model_path  # noqa: PLC0415  # likewise
    from schemas.setting_shown import shown  # noqa: PLC0415  # likewise
    from schemas.settings import Settings  # noqa: PLC0415  # likewise

    the_key(key)
    name = file_name(Settings, model_path(Settings, key))
    found = next((it for it in _values() if it.name == name), None)
    if found is None:
        message = f"{name} is not set"
        raise ConfigurationError(message)
    if as_json:
        print_json(_row(found))
    else:
        out().print(shown(found.key, found.value, found.name), markup=False)


@config.command()
def explain(
    key: Annotated[str | None, typer.Argument(help="As in the file: a.b.c.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print the tables of docs/configuration.md.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a key means, what it may be, what it is by default."""
    from coordinator.configuration import explaining  # noqa: PLC0415  # keeps `--help` fast

    if key is None and everything:
        out().print(explaining.page().rstrip("\n"), markup=False)
        return
    if key is None or everything:
        message = "name a key, or ask for --all"
        raise typer.BadParameter(message)
    told = explaining.explain(key)
    if as_json:
        print_json(dict(told))
        return
    for name, text in told.items():
        out().print(f"{name}: {text}", markup=False)


@config.command()
def validate(file: Annotated[Path, typer.Argument(help="A configuration file.")]) -> None:
    """Check a file by itself, whatever the environment says; nothing is changed."""
    from coordinator.configuration import editing  # noqa: PLC0415  # keeps `--help` fast
    from schemas.errors import ConfigurationError  # noqa: PLC0415  # likewise

    if not file.exists():
        message = f"there is no file {file}"
        raise ConfigurationError(message)
    document = editing.read_document(file)
    editing.check_document(document)
    tell_moved(editing.moved_in(document), "`chordscribe config set` moves them")
    out().print(f"{file} is valid", markup=False)


@config.command("set")
def set_(
    key: KeyArgument,
    value: Annotated[
        str, typer.Argument(help="A TOML value; else it is a text; -: a line of stdin.")
    ],
) -> None:
    """Change one value in the file; its comments stay."""
    from coordinator.configuration import editing  # noqa: PLC0415  # keeps `--help` fast

    if value == "-":
        value = sys.stdin.readline().rstrip("\n")
    file, document = opened()
    write(file, editing.set_value(document, key, value), f"config set {key}")
    tell_overridden(key)


@config.command()
def reset(section: SectionArgument = None) -> None:
    """Take a table, or a key, out of the file, so that the defaults hold again."""
    import tomlkit  # noqa: PLC0415  # keeps `--help` fast

    from coordinator.configuration import editing  # noqa: PLC0415  # likewise

    file, document = opened()
    if not editing.unset(document, section):
        out().print("the file does not set it", markup=False)
        return
    editing.check_document(document)
    write(file, tomlkit.dumps(document), f"config reset {section or ''}".strip())


@config.command()
def events(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what all machines did with their configuration: what they accepted, refused."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.configuration.telling import in_words, read_events  # noqa: PLC0415  # likewise

    with (
        Client(work=False, on_status=status_line(err())) as client,
        client.database.reading() as session,
    ):
        found = read_events(session, limit)
    if as_json:
        print_json({"events": [*found]})
        return
    for event in found:
        out().print(in_words(event), markup=False)


def _print(found: list[Value], *, as_json: bool) -> None:
    from schemas.setting_shown import shown  # noqa: PLC0415  # keeps `--help` fast

    if as_json:
        print_json({"values": [_row(it) for it in found]})
        return
    lines = [f"{it.name} = {shown(it.key, it.value, it.name)}" for it in found]
    width = min(max(map(len, lines), default=0), SOURCE_COLUMN)
    for it, line in zip(found, lines, strict=True):
        out().print(f"{line:<{width}}  # {it.source}", markup=False)


def _row(found: Value) -> dict[str, object]:
    from schemas.setting_shown import masked  # noqa: PLC0415  # keeps `--help` fast

    value = None if found.value is None else masked(found.key, found.value, found.name)
    return {"key": found.name, "value": value, "source": found.source}


def _values() -> tuple[Value, ...]:
    from schemas.setting_values import values  # noqa: PLC0415  # keeps `--help` fast
    from schemas.settings import load_settings  # noqa: PLC0415  # likewise

    return values(load_settings())
