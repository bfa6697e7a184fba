"""Reads the values that several commands take in the same way."""

from __future__ import annotations

from enum import StrEnum

from coordinator.errors import BadRequestError


class Format(StrEnum):
    """The files that a result can be written as."""

    TXT = "txt"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


def engine_names(text: str | None) -> tuple[str, ...]:
    """Split `a,b` into names; None or nothing gives none."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def engine_options(pairs: list[str]) -> dict[str, dict[str, object]]:
    """Turn `engine.option=value` pairs into options by engine.

    Numbers and `true`, `false`, `none` are read as such, all else as text.

    Raises:
        BadRequestError: a pair has another form.
    """
    options: dict[str, dict[str, object]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        engine, dot, option = key.partition(".")
        if not (equals and dot and engine and option):
            message = f"'{pair}' is no option: write ENGINE.OPTION=VALUE"
            raise BadRequestError(message)
        options.setdefault(engine, {})[option] = _value(value)
    return options


def _value(text: str) -> object:
    words: dict[str, object] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
