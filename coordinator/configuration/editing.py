"""Changes the configuration file, its comments kept, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from schemas.errors import ConfigurationError
from schemas.setting_keys import NAME, all_keys, file_name, find_key, model_path
from schemas.setting_sources import file_alone, reading_instead
from schemas.setting_values import at
from schemas.setting_versions import VERSION, VERSION_KEY, flatten, moved, version_of
from schemas.setting_words import unknown
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import MutableMapping

#: Who may read a file that is new: it may come to hold passwords.
NEW_MODE = 0o600


def read_document(file: Path) -> tomlkit.TOMLDocument:
    """Return the file with its comments; an empty one where it is absent.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, ValueError, TOMLKitError) as error:
        message = f"the configuration cannot be read: {file}: {error}"
        raise ConfigurationError(message) from None


def check_document(document: MutableMapping[str, Any]) -> Settings:
    """Return the settings that a document makes by itself.

    Raises:
        ConfigurationError: it is wrong; the message names the keys.
    """
    plain = tomlkit.parse(tomlkit.dumps(document)).unwrap()
    with file_alone(), reading_instead(plain):
        return load_settings()


def moved_in(document: tomlkit.TOMLDocument) -> dict[str, str]:
    """Return what stands elsewhere in today's files: old name → new name.

    Raises:
        ConfigurationError: the file is of a version that is newer than this program's.
    """
    return moved(Settings, document) if version_of(document) < VERSION else {}


def migrate(document: tomlkit.TOMLDocument) -> dict[str, str]:
    """Bring a document to today's version; return what was moved, as `moved_in` does.

    Raises:
        ConfigurationError: it is newer than this program, or so written that its comments would
            be lost.
    """
    old, before = moved_in(document), flatten(Settings, document.unwrap())
    for field, name in old.items():
        table: Any = document[field]
        if isinstance(table, OutOfOrderTableProxy):
            table = tomlkit.item(table.unwrap())
        document.remove(field)
        _forget_headers(table)
        _table(document, tuple(name.split(".")[:-1]))[field] = table
    document[VERSION_KEY] = VERSION
    if flatten(Settings, tomlkit.parse(tomlkit.dumps(document)).unwrap()) != before:
        told = ", ".join(f"{field} to {name}" for field, name in old.items())
        message = f"the file is of version 1: move {told} by hand, then write version = {VERSION}"
        raise ConfigurationError(message)
    return old


def set_value(document: tomlkit.TOMLDocument, name: str, text: str) -> str:
    """Return the document with another value of a key: what TOML can read as one, else the text.

    Raises:
        ConfigurationError: there is no such key, or it cannot have that value.
    """
    path = _known(name)
    before, reasons = tomlkit.dumps(document), []
    for value in readings(text):
        trial = tomlkit.parse(before)
        _table(trial, path[:-1])[path[-1]] = value
        written = tomlkit.dumps(trial)
        try:
            check_document(trial)
        except ConfigurationError as error:
            reasons.append(error)
        else:
            if at(tomlkit.parse(written).unwrap(), path) == value:
                return written
            message = f"{name} cannot be set where it stands in the file: edit it by hand"
            raise ConfigurationError(message)
    raise reasons[0]


def unset(document: tomlkit.TOMLDocument, name: str | None) -> bool:
    """Remove a key, or a section with all it holds; None removes everything but the version.

    Returns:
        Whether there was anything to remove.

    Raises:
        ConfigurationError: there is neither a key nor a section of that name.
    """
    if name is None:
        names = [key for key in document if key != VERSION_KEY]
        for key in names:
            document.remove(key)
        return bool(names)
    path = tuple(name.split(".")) if is_section(name) else _known(name)
    owner: Any = document
    for part in path[:-1]:
        owner = owner.get(part) if isinstance(owner, dict) else None
    if not isinstance(owner, dict) or path[-1] not in owner:
        return False
    del owner[path[-1]]
    return True


def is_section(name: str) -> bool:
    """Whether something that is no key itself begins with that name."""
    parts = name.split(".")
    return any(
        len(stands := key.name.split(".")) > len(parts)
        and all(ours in {theirs, NAME} for ours, theirs in zip(stands, parts, strict=False))
        for key in all_keys(Settings)
    )


def write_file(file: Path, text: str) -> None:
    """Put a text in the file's place at once; who may read it stays as it was.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    target = file.resolve()
    part = ""
    try:
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        _as_before(Path(part), target)
        Path(part).replace(target)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror}"
        raise ConfigurationError(message) from None
    finally:
        if part:
            with suppress(FileNotFoundError):
                Path(part).unlink()


def _as_before(part: Path, target: Path) -> None:
    """Give a file the mode of the one that it replaces, and, as root, its owner."""
    if not target.exists():
        part.chmod(NEW_MODE)
        return
    found = target.stat()
    if os.geteuid() == 0:
        os.chown(part, found.st_uid, found.st_gid)
    part.chmod(found.st_mode & 0o777)


def _known(name: str) -> tuple[str, ...]:
    """Return the tables that lead to a key of the file, itself the last."""
    if find_key(Settings, name) is None:
        raise ConfigurationError(unknown(Settings, name))
    return tuple(file_name(Settings, model_path(Settings, name)).split("."))


def readings(text: str) -> list[Any]:
    """Return what a text can mean as a value, the likeliest first."""
    try:
        return [tomlkit.value(text), text]
    except (TOMLKitError, ValueError):
        return [text]


def _table(document: tomlkit.TOMLDocument, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    """Return the table that these names lead to, made where it is not there."""
    owner: Any = document
    for place, part in enumerate(path):
        if part not in owner:
            inner: Any = tomlkit.table(is_super_table=place < len(path) - 1)
            owner[part] = tomlkit.inline_table() if isinstance(owner, InlineTable) else inner
        owner = owner[part]
        if not isinstance(owner, dict):
            message = f"{'.'.join(path[: place + 1])} is no table in the file"
            raise ConfigurationError(message)
    return owner


def _forget_headers(table: object) -> None:
    """Have a table written under the name of its new place."""
    if isinstance(table, Table):
        table.display_name = None
        for inner in table.values():
            _forget_headers(inner)
