"""Turns settings into the environment from which the stack's roles read the same settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.setting_passing import variables

if TYPE_CHECKING:
    from schemas.settings import Settings

#: Seconds that an embedded worker's task gets to end in: whoever stops the stack waits for it.
SHUTDOWN_SECONDS = 2.0
#: Settings that go no further. Only the supervisor knows the embedded servers' addresses, and
#: only Flower needs its password.
NOT_PASSED_ON = {"broker_url", "database_url", "flower"}


def settings_env(settings: Settings) -> dict[str, str]:
    """Return the variables by which `load_settings` finds these settings in any folder.

    Empty ones take away what the starter's environment says.

    Raises:
        ConfigurationError: the configuration file is wrong.
    """
    seconds = min(settings.worker.shutdown_seconds, SHUTDOWN_SECONDS)
    folders = {name: getattr(settings, name) for name in ("data_dir", "media_dir", "models_dir")}
    passed_on = settings.model_copy(
        update={
            **{name: folder.resolve() for name, folder in folders.items() if folder is not None},
            "worker": settings.worker.model_copy(update={"shutdown_seconds": seconds}),
        }
    )
    return variables(passed_on, NOT_PASSED_ON)
