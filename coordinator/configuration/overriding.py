"""Takes settings from the command line, which win over all others."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from coordinator.configuration.editing import readings
from coordinator.configuration.explaining import the_key
from schemas.errors import ConfigurationError
from schemas.setting_keys import model_path
from schemas.setting_sources import CLI_VALUES
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable


def override(pairs: Iterable[str]) -> None:
    """Have `KEY=VALUE` pairs hold for this process, and for those that it starts.

    Raises:
        ConfigurationError: a pair has another form, or names no key, or its value is wrong.
    """
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            message = f"'{pair}' sets nothing: write KEY=VALUE"
            raise ConfigurationError(message)
        the_key(name)
        _override(model_path(Settings, name), text)


def _override(path: tuple[str, ...], text: str) -> None:
    before, reasons = deepcopy(CLI_VALUES), []
    for value in readings(text):
        _put(CLI_VALUES, path, value)
        try:
            load_settings()
        except ConfigurationError as error:
            reasons.append(error)
            CLI_VALUES.clear()
            CLI_VALUES.update(deepcopy(before))
        else:
            return
    raise reasons[0]


def _put(table: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for part in path[:-1]:
        table = table.setdefault(part, {})
    table[path[-1]] = value
