"""Turns settings into the environment from which another process reads the same settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from schemas.settings import Settings

#: Seconds that an embedded worker's task gets to end in: whoever stops the stack waits for it.
SHUTDOWN_SECONDS = 2.0
#: Settings that go no further. Only the supervisor knows the embedded servers' addresses, and
#: only Flower needs its password.
NOT_PASSED_ON = {"broker_url", "database_url", "flower"}


def settings_env(settings: Settings) -> dict[str, str]:
    """Return the variables by which `load_settings` finds these settings in any folder."""
    seconds = min(settings.worker.shutdown_seconds, SHUTDOWN_SECONDS)
    passed_on = settings.model_copy(
        update={
            "data_dir": settings.data_dir.resolve(),
            "media_dir": settings.media_root.resolve(),
            "storage": settings.storage.model_copy(
                update={"cache_dir": settings.media_cache.resolve()}
            ),
            "models_dir": settings.models_root.resolve(),
            "worker": settings.worker.model_copy(update={"shutdown_seconds": seconds}),
        }
    ).model_dump(exclude=NOT_PASSED_ON, exclude_none=True)
    prefix = settings.model_config["env_prefix"]
    return {f"{prefix}{name}".upper(): _variable(value) for name, value in passed_on.items()}


def _variable(value: object) -> str:
    return str(value) if isinstance(value, str | Path) else json.dumps(value, default=_plain)


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
