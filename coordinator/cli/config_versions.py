"""`chordscribe config history|rollback|backup|restore`: the versions of the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.config_writing import write
from coordinator.cli.terminal import out, print_json

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
BackupArgument = Annotated[Path, typer.Argument(help="The backup.")]


def history(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the versions of this machine's file: who made each, when, what it changed."""
    from coordinator.configuration.versions import story  # noqa: PLC0415  # keeps `--help` fast
    from schemas.setting_sources import config_file  # noqa: PLC0415  # likewise

    found = story(config_file(), limit)
    if as_json:
        print_json({"versions": [entry.as_json() for entry in found]})
        return
    for entry in found:
        by = f" by {entry.who}" if entry.who else ""
        out().print(f"{entry.number} {entry.at:%Y-%m-%d %H:%M:%S}{by}: {entry.how}", markup=False)
        for change in entry.changes:
            out().print(f"  {change}", markup=False)


def rollback(
    number: Annotated[
        int | None, typer.Argument(min=1, help="A version; none: the last that is not the file.")
    ] = None,
) -> None:
    """Put a version of the file back, over one that is wrong too."""
    from coordinator.configuration.versions import version  # noqa: PLC0415  # keeps `--help` fast
    from schemas.setting_sources import config_file  # noqa: PLC0415  # likewise

    file = config_file()
    kept = version(file, number)
    write(file, kept.text, f"config rollback {kept.number}")
    out().print(f"{file} is version {kept.number} again", markup=False)


def backup(file: BackupArgument) -> None:
    """Write the configuration file with its versions into one file; it may hold passwords."""
    from coordinator.configuration.versions import make_backup  # noqa: PLC0415  # keeps help fast
    from schemas.setting_sources import config_file  # noqa: PLC0415  # likewise

    count = make_backup(config_file(), file)
    out().print(f"{file}: the configuration with {count} versions", markup=False)


def restore(file: BackupArgument) -> None:
    """Take the configuration file back from a backup; its versions too where there are none."""
    from coordinator.configuration.versions import (  # noqa: PLC0415  # keeps `--help` fast
        read_backup,
        take_versions,
    )
    from schemas.setting_sources import config_file  # noqa: PLC0415  # likewise

    target = config_file()
    found = read_backup(file)
    take_versions(target, found)
    write(target, found.text, f"config restore {file.name}")
    out().print(f"{target} is restored from {file}", markup=False)
