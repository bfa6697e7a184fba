"""Says what differs between two configurations, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.setting_keys import Key, all_keys
from schemas.setting_shown import shown
from schemas.setting_values import expanded
from schemas.settings import Settings


@dataclass(frozen=True)
class Change:
    """What became of one key."""

    #: As in the file.
    name: str
    key: Key
    #: None where it was not there, as a pool of another name.
    before: object
    after: object

    @property
    def hot(self) -> bool:
        """Whether it takes effect in processes that run."""
        return self.key.hot

    def told(self) -> dict[str, str]:
        """Return it in words, what is secret masked."""
        return {
            "key": self.name,
            "before": shown(self.key, self.before, self.name),
            "after": shown(self.key, self.after, self.name),
        }

    def __str__(self) -> str:
        """Return it as a person reads it."""
        told = self.told()
        return f"{self.name}: {told['before']} -> {told['after']}"


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Return what differs, in the order of the keys."""
    old = {name: (key, value) for name, key, value in expanded(before)}
    new = {name: (key, value) for name, key, value in expanded(after)}
    found = []
    for name in dict.fromkeys((*old, *new)):
        key = (old.get(name) or new[name])[0]
        was, now = (table[name][1] if name in table else None for table in (old, new))
        if was != now:
            found.append(Change(name, key, was, now))
    return tuple(found)


def with_hot_keys(settings: Settings, of: Settings) -> Settings:
    """Return the settings with each key that is hot as another has it."""
    update: dict[str, Any] = {}
    for field in type(settings).model_fields:
        section, other = getattr(settings, field), getattr(of, field)
        parts = {key.path[1] for key in _keys(field) if key.hot and len(key.path) > 1}
        if all(key.hot for key in _keys(field)):
            update[field] = other
        elif parts:
            update[field] = section.model_copy(
                update={part: getattr(other, part) for part in parts}
            )
    return settings.model_copy(update=update)


def _keys(field: str) -> list[Key]:
    return [key for key in all_keys(Settings) if key.path[0] == field]
