"""Checks the options that an engine is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from engine_workers.errors import UnsupportedError
from engine_workers.store.places import Models

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine_workers.engines.base import Engine
    from schemas.base import Contract


def engine_options(
    engine: type[Engine],
    configured: Mapping[str, Any],
    asked: Mapping[str, Any] | None = None,
    models: Models | None = None,
) -> Contract:
    """Return the engine's options: those `asked` for over those `configured` over its defaults.

    Raises:
        UnsupportedError: an option is unknown or its value is wrong; the message names it.
    """
    placed = (models or Models()).place(engine, configured, asked or {})
    try:
        return engine.Options.model_validate(placed)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'options'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        message = f"the engine {engine.info.name} was given wrong options: {wrong}"
        raise UnsupportedError(message) from None
