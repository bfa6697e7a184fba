"""Makes the commands of the stack's roles from the starter's table and settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from coordinator.local.commands import Command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.local.messages import Boot, FlowerRequest
    from coordinator.local.paths import StackPaths

#: Seconds after which a role that was asked to end is killed: its task's time and some more.
GRACE_SECONDS = 4.0


class RoleCommands:
    """The roles of one stack, whose servers' addresses are known."""

    def __init__(self, boot: Boot, paths: StackPaths, broker_url: str, database_url: str) -> None:
        """Make the environment that all roles share."""
        self._boot = boot
        self._paths = paths
        self.env = {
            **_without(os.environ, boot.env),
            **{name: value for name, value in boot.env.items() if value},
            "CHORDSCRIBE_BROKER_URL": broker_url,
            "CHORDSCRIBE_DATABASE_URL": database_url,
            # Celery's soft shutdown on SIGTERM: a running task gets its seconds, then ends.
            "REMAP_SIGTERM": "SIGQUIT",
            # What Celery fears of root is pickle; our messages are JSON.
            "C_FORCE_ROOT": "1",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(paths.temporary),
        }

    def coordinator(self, *, fresh: bool) -> Command:
        """Return the coordinator; `fresh` says that nobody else works on the ledger.

        Only then may it take back what the ledger calls running, and publish it once more.
        """
        env = {"CHORDSCRIBE_EMBEDDED": "1"} if fresh else {}
        return self._command("coordinator", "coordinator", env)

    def aggregation(self, *, wait: float = 0.0) -> Command:
        """Return the aggregation's worker, which begins after `wait` seconds."""
        return self._command("aggregation", "aggregation", wait=str(wait))

    def engine(self, name: str, *, wait: float = 0.0) -> Command:
        """Return the worker of an engine, which begins after `wait` seconds."""
        return self._command("engine", f"engine-{name}", engine=name, wait=str(wait))

    def flower(self, request: FlowerRequest, port: int) -> Command:
        """Return Flower; its password goes by the environment, which `ps` does not show."""
        auth = {"FLOWER_BASIC_AUTH": f"{request.user}:{request.password}"}
        # Flower runs a `flowerconfig.py` that it finds in its working directory.
        return self._command("flower", "flower", auth, self._paths.data, port=str(port))

    def _command(
        self,
        role: str,
        name: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        **values: str,
    ) -> Command:
        argv = tuple(_filled(word, values) for word in self._boot.roles[role])
        return Command(
            name, argv, env={**self.env, **(env or {})}, cwd=cwd, grace_seconds=GRACE_SECONDS
        )


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _without(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` less what would override `settings` or parts of them."""
    known = (*settings, "CHORDSCRIBE_BROKER_URL", "CHORDSCRIBE_DATABASE_URL")
    return {
        name: value
        for name, value in environ.items()
        if not any(name.upper() == one or name.upper().startswith(f"{one}__") for one in known)
        and name != "CHORDSCRIBE_EMBEDDED"
    }
