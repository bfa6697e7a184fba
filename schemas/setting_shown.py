"""Shows values of settings to people, what is secret in them masked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from schemas.logs import redact
from schemas.setting_keys import Key

MASK: Final = "***"
#: Options of engines, and parameters of addresses, that are nobody's business.
_PRIVATE = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
_QUERY = re.compile(r"\?.*", re.DOTALL)


def shown(key: Key, value: object, name: str = "") -> str:
    """Return a value as the file would have it, its secrets masked.

    Args:
        key: the setting.
        value: what it is.
        name: the value's own name, where a part of the key is chosen.
    """
    if value is None:
        return "(none)"
    return json.dumps(masked(key, value, name), ensure_ascii=False)


def masked(key: Key, value: object, name: str = "") -> object:
    """Return a value as JSON has it, its secrets masked; the arguments are those of `shown`."""
    private = key.secret or bool(_PRIVATE.search((name or key.name).rpartition(".")[2]))
    return _masked(_plain(value), private=private)


def _masked(value: object, *, private: bool) -> object:
    if isinstance(value, str):
        if private and "://" not in value:
            return MASK
        return _QUERY.sub(f"?{MASK}", redact(value)) if "://" in value else value
    if isinstance(value, Mapping):
        return {
            name: _masked(inner, private=private or bool(_PRIVATE.search(str(name))))
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked(inner, private=private) for inner in value]
    return MASK if private and value is not None and not isinstance(value, bool) else value


def _plain(value: object) -> Any:  # noqa: ANN401  # a JSON value
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return _plain(dict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(inner) for inner in value]
    if isinstance(value, bool | int | float | str) or value is None:
        return value
    return str(value) if not isinstance(value, Path) else value.as_posix()
