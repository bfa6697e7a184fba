"""Passes settings on to another process, by variables that leave the file its say."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import SecretStr

from schemas.setting_sources import CONFIG_VARIABLE, config_file, file_alone, short_name
from schemas.settings import Settings, load_settings

#: A file that sets nothing.
NO_FILE: Final = os.devnull
PREFIX: Final = str(Settings.model_config["env_prefix"])


def variables(settings: Settings, without: Collection[str] = ()) -> dict[str, str]:
    """Return the variables by which `load_settings` finds these settings in any folder.

    They hold what the configuration file does not say by itself: what it says, the other process
    reads there, again whenever it changes. A variable of ours that counts no more is empty, which
    is as if it were not set.

    Args:
        settings: what the other process shall find.
        without: fields that do not concern it.

    Raises:
        ConfigurationError: the file is wrong.
    """
    cleared = dict.fromkeys(filter(_is_ours, os.environ), "")
    wanted = _plain(settings, without)
    with file_alone():
        base = _plain(load_settings(), without)
    file, said = str(config_file().absolute()), differences(base, wanted)
    if said is None:
        # The file says what the settings have not: it is left out.
        file, said = NO_FILE, {name: it for name, it in wanted.items() if it is not None}
    named = {f"{PREFIX}{name}".upper(): _variable(value) for name, value in said.items()}
    return {**cleared, **named, CONFIG_VARIABLE: file}


def differences(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what makes `wanted` of `base` when tables are merged; None where nothing can."""
    if base.keys() - wanted.keys():
        return None
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        before = base.get(name)
        if name in base and before == value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            inner = differences(before, value)
            if inner is None:
                return None
            found[name] = inner
        elif value is None and isinstance(before, str | list):
            return None  # an empty variable counts as not set
        else:
            found[name] = value
    return found


def _is_ours(variable: str) -> bool:
    short = short_name(Settings, variable)
    head = short.removeprefix(PREFIX.lower()).partition("__")[0]
    return short.startswith(PREFIX.lower()) and head in Settings.model_fields


def _plain(settings: Settings, without: Collection[str]) -> dict[str, Any]:
    found = settings.model_dump(exclude=set(without))
    plain: dict[str, Any] = json.loads(json.dumps(found, default=_text))
    return plain


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _variable(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
