"""Explains settings: one to whoever asks, all as the page docs/configuration.md."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from schemas.errors import ConfigurationError
from schemas.setting_keys import Key, all_keys, find_key
from schemas.setting_shown import shown
from schemas.setting_words import unknown
from schemas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What stands above the generated part of the page.
MARK = "<!-- `chordscribe config explain --all` prints what follows; a test compares. -->"
#: What is said of keys.
HOT, COLD = "takes effect in processes that run", "needs a restart"
#: Where keys stand that are in no table.
TOP = "At the top"


def the_key(name: str) -> Key:
    """Return the key of that name.

    Raises:
        ConfigurationError: there is none; the message offers the nearest.
    """
    key = find_key(Settings, name)
    if key is None:
        raise ConfigurationError(unknown(Settings, name))
    return key


def explain(name: str) -> dict[str, str]:
    """Return what a key means, may be, is by default, how a variable names it.

    Raises:
        ConfigurationError: there is no such key.
    """
    key = the_key(name)
    return {
        "key": key.name,
        "meaning": key.doc,
        "type": key.kind,
        "default": _default(key),
        "change": HOT if key.hot else COLD,
        "variable": variable(name),
    }


def variable(name: str) -> str:
    """Return the environment variable that sets a key."""
    the_key(name)
    return f"CHORDSCRIBE_{name.replace('.', '__')}".upper()


def page() -> str:
    """Return the generated part of docs/configuration.md."""
    lines = [MARK]
    for section, keys in groupby(_sorted(), key=_section):
        lines += ["", f"### {section}", ""]
        lines += ["| key | type | default | hot | meaning |", "|---|---|---|---|---|"]
        lines += [_row(key) for key in keys]
    return "\n".join(lines) + "\n"


def _sorted() -> Iterator[Key]:
    """Return the keys by section, in the order in which a section's first key is declared."""
    found: dict[str, list[Key]] = {}
    for key in all_keys(Settings):
        found.setdefault(_section(key), []).append(key)
    return (key for group in found.values() for key in group)


def _section(key: Key) -> str:
    table, dot, _ = key.name.partition(".")
    return f"`[{table}]`" if dot else TOP


def _row(key: Key) -> str:
    hot = "yes" if key.hot else ""
    cells = (f"`{key.name}`", key.kind, _default(key), hot, key.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(key: Key) -> str:
    if key.name.endswith("data_dir"):
        return str(key.default)
    return shown(key, key.default)
