"""Where settings come from: the file with its categories, the environment, the command line."""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)

from schemas.errors import ConfigurationError
from schemas.setting_keys import places
from schemas.setting_versions import flatten, moved
from schemas.setting_words import unknown

log = logging.getLogger("chordscribe.configuration")

#: The configuration file read from the working directory, unless CHORDSCRIBE_CONFIG names another.
CONFIG_FILE: Final = "chordscribe.toml"
CONFIG_VARIABLE: Final = "CHORDSCRIBE_CONFIG"
#: What `chordscribe --set KEY=VALUE` gave to this process.
CLI_VALUES: Final[dict[str, Any]] = {}
#: A document that stands in for the file: see `reading_instead`.
_INSTEAD: Final[ContextVar[Mapping[str, Any] | None]] = ContextVar("instead", default=None)
#: Whether the environment and the command line are left out: see `file_alone`.
_ALONE: Final[ContextVar[bool]] = ContextVar("alone", default=False)


def config_file() -> Path:
    """Return the place of the configuration file, whether it is there or not."""
    return Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)


def file_values(model: type[BaseSettings]) -> dict[str, Any]:
    """Return what the configuration file says, by the settings' fields; nothing where it is absent.

    Raises:
        ConfigurationError: it cannot be read, or has an unknown key.
    """
    instead = _INSTEAD.get()
    if instead is not None:
        return known(model, instead)
    file = config_file()
    data = bytes_of(file)
    if data is None:
        return {}
    document = parsed(file, data)
    old = moved(model, document)
    values = known(model, document)
    if old:
        told = ", ".join(f"{name} is {now}" for name, now in old.items())
        log.warning("%s is of version 1, still read: in version 2 %s", file, told)
    return values


def bytes_of(file: Path) -> bytes | None:
    """Return what is in a configuration file; None where there is none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"the configuration cannot be read: {file}: {error}"
        raise ConfigurationError(message) from None


def parsed(file: Path, data: bytes) -> dict[str, Any]:
    """Return the document that a configuration file's bytes make.

    Raises:
        ConfigurationError: they are no TOML.
    """
    try:
        return tomllib.loads(data.decode())
    except ValueError as error:
        message = f"the configuration cannot be read: {file}: {error}"
        raise ConfigurationError(message) from None


@contextmanager
def reading_instead(document: Mapping[str, Any]) -> Iterator[None]:
    """Have a document read within the block as if it were the file."""
    token = _INSTEAD.set(document)
    try:
        yield
    finally:
        _INSTEAD.reset(token)


@contextmanager
def file_alone() -> Iterator[None]:
    """Leave the environment and the command line out within the block."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def reads_the_file() -> bool:
    """Whether the configuration file is read now, and no document in its place."""
    return _INSTEAD.get() is None


def is_file_alone() -> bool:
    """Whether the environment and the command line are left out now."""
    return _ALONE.get()


def known(model: type[BaseSettings], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document's values by the settings' fields.

    Raises:
        ConfigurationError: a name is unknown; the message offers the nearest.
    """
    flat = flatten(model, document)
    strange = []
    for name, value in flat.items():
        if name in model.model_fields:
            continue
        inner = value if isinstance(value, Mapping) and name in categories(model) else None
        strange += [name] if inner is None else [f"{name}.{part}" for part in inner]
    if strange:
        message = "; ".join(unknown(model, name) for name in strange)
        raise ConfigurationError(message)
    return flat


def categories(model: type[BaseSettings]) -> set[str]:
    """Return the names of the tables that hold others."""
    return {stands[0] for stands in places(model).values() if len(stands) > 1}


def categorised(source: PydanticBaseSettingsSource) -> PydanticBaseSettingsSource:
    """Let variables name settings as the file does: `CHORDSCRIBE_PERFORMANCE__MEDIA__…`.

    The shorter names without the category work as well.
    """
    if isinstance(source, EnvSettingsSource):
        renamed = {short_name(source.settings_cls, name): name for name in source.env_vars}
        longer = {short: source.env_vars[name] for short, name in renamed.items() if short != name}
        source.env_vars = {**source.env_vars, **longer}
    return source


def short_name(model: type[BaseSettings], variable: str) -> str:
    """Return a variable's name without the category, in lower case."""
    prefix, name = str(model.model_config["env_prefix"]).lower(), variable.lower()
    for field, stands in places(model).items():
        long = prefix + "__".join(stands)
        if len(stands) > 1 and (name == long or name.startswith(f"{long}__")):
            return prefix + field + name[len(long) :]
    return name


def layers(model: type[BaseSettings]) -> dict[str, dict[str, Any]]:
    """Return what each source says, by the settings' fields; the first of them wins.

    Raises:
        ConfigurationError: the file cannot be read, or has an unknown key.
    """
    return {
        "command line": CLI_VALUES,
        "environment": categorised(EnvSettingsSource(model))(),
        ".env": categorised(DotEnvSettingsSource(model))(),
        "file": file_values(model),
    }


def check_variables(model: type[BaseSettings], environ: Mapping[str, str] = os.environ) -> None:
    """Make sure that no variable names a part of a table that there is not.

    A name without `__` may be anybody's: Kubernetes sets CHORDSCRIBE_SERVICE_HOST by itself.

    Raises:
        ConfigurationError: there is one; the message offers the nearest key.
    """
    prefix = str(model.model_config["env_prefix"]).lower()
    for variable in environ:
        short = short_name(model, variable).removeprefix(prefix)
        head, part, _ = short.partition("__")
        if variable.lower().startswith(prefix) and part and head not in model.model_fields:
            name = short.replace("__", ".")
            message = f"the variable {variable} sets nothing: {unknown(model, name)}"
            raise ConfigurationError(message)
