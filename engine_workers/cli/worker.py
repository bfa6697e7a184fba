"""The command `chordscribe worker`."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from engine_workers.catalogue import engine_names
from engine_workers.cli.reach import reachable
from engine_workers.errors import NoPoolsError, UnknownPoolError
from schemas.logs import set_up_logs
from schemas.pools import PoolSettings
from schemas.setting_passing import variables
from schemas.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.settings import Settings

#: Settings that the pools' workers have no use for, or are told in another way.
NOT_PASSED_ON = {"broker_url", "database_url", "flower", "pools"}


def worker(
    pool: Annotated[
        list[str] | None,
        typer.Option(help="A pool of the table \\[pools], or an engine; several: repeat it."),
    ] = None,
    node: Annotated[
        str | None, typer.Option(help="What this machine is called; else its host name.")
    ] = None,
) -> None:
    """Run worker pools of this machine, all that are configured, until told to stop.

    A pool that crashes is started again; `chordscribe pools` shows and steers them. On SIGTERM
    runs have their grace, then they are handed back.
    """
    from engine_workers.supervisor import Supervisor  # noqa: PLC0415  # keeps `--help` fast

    settings, names = with_pools(load_settings(), pool or ())
    set_up_logs(settings.monitoring.log_level)
    with reachable(settings, broker=True) as found:
        _pass_on(found)
        supervisor = Supervisor(found, node or node_name(settings), names, follow=True)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(signum, supervisor.stop)
        supervisor.run()


def node_name(settings: Settings) -> str:
    """Return what this machine is called."""
    return settings.node.name or socket.gethostname()


def with_pools(settings: Settings, asked: Sequence[str]) -> tuple[Settings, list[str]]:
    """Return settings that have the pools, with the pools' names; an engine has one by itself.

    Raises:
        NoPoolsError: none is asked for, and none is configured.
        UnknownPoolError: one is neither configured nor an engine.
    """
    pools = dict(settings.pools)
    names = list(dict.fromkeys(asked)) or list(pools)
    if not names:
        raise NoPoolsError
    for name in names:
        if name not in pools and name in engine_names():
            pools[name] = PoolSettings()
        elif name not in pools:
            known = ", ".join((*pools, *engine_names()))
            message = (
                f"there is no pool '{name}': write a table [pools.{name}], or name one of {known}"
            )
            raise UnknownPoolError(message)
    return settings.model_copy(update={"pools": pools}), names


def _pass_on(settings: Settings) -> None:
    """Let the pools' workers find these settings, the servers that were found among them."""
    passed = variables(settings, NOT_PASSED_ON)
    for name in ("broker_url", "database_url"):
        address = getattr(settings, name)
        passed[f"CHORDSCRIBE_{name.upper()}"] = address.get_secret_value() if address else ""
    for name, value in passed.items():
        os.environ.pop(name, None)
        if value:
            os.environ[name] = value
