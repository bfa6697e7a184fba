"""What the commands that change the configuration file have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.cli.terminal import err, out

if TYPE_CHECKING:
    from pathlib import Path

    import tomlkit


def opened() -> tuple[Path, tomlkit.TOMLDocument]:
    """Return the file's place with what is in it, in today's form.

    Raises:
        ConfigurationError: the file is wrong.
    """
    from coordinator.configuration import editing  # noqa: PLC0415  # keeps `--help` fast
    from schemas.setting_sources import config_file  # noqa: PLC0415  # likewise
    from schemas.setting_versions import VERSION  # noqa: PLC0415  # likewise

    file = config_file()
    document = editing.read_document(file)
    editing.check_document(document)
    tell_moved(editing.migrate(document), f"{file} is brought to version {VERSION}")
    return file, document


def write(file: Path, text: str, how: str) -> None:
    """Replace the file; say what that changes in processes that run, and when.

    Args:
        file: the configuration file.
        text: what shall be in it; it was checked.
        how: the command, as the history shall name it.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    from coordinator.configuration import editing, telling  # noqa: PLC0415  # keeps `--help` fast
    from schemas.errors import ConfigurationError  # noqa: PLC0415  # likewise
    from schemas.settings import load_settings  # noqa: PLC0415  # likewise

    try:
        before = load_settings()
    except ConfigurationError:  # the file is wrong, and no version was kept
        before = None
    telling.keep_what_is(file)
    editing.write_file(file, text)
    told = telling.tell(file, text, how, before, load_settings())
    for change in told.changed:
        when = "takes effect now" if change.hot else "restart needed"
        out().print(f"{change} ({when})", markup=False)
    if told.problem:
        err().print(f"chordscribe: {told.problem}", markup=False)


def tell_moved(old: dict[str, str], what: str) -> None:
    """Say what stands elsewhere in today's files."""
    if old:
        moved = ", ".join(f"{name} is {now}" for name, now in old.items())
        err().print(f"chordscribe: version 1: {moved}; {what}", markup=False)


def tell_overridden(key: str) -> None:
    """Say so when the file's word on a key does not count."""
    from schemas.setting_keys import file_name, model_path  # noqa: PLC0415  # keeps `--help` fast
    from schemas.setting_values import values  # noqa: PLC0415  # likewise
    from schemas.settings import Settings, load_settings  # noqa: PLC0415  # likewise

    name = file_name(Settings, model_path(Settings, key))
    for found in values(load_settings()):
        if found.name == name and found.source not in {"file", "default"}:
            told = f"chordscribe: {name} comes from the {found.source}, which wins over the file"
            err().print(told, markup=False)
