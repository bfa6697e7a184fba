"""What programs use of the embedded stack: have it running for a while."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from coordinator.errors import (
    DataDirectoryError,
    LocalStackError,
    ServersMissingError,
    StackEndingError,
    StackLostError,
)
from coordinator.local.launch import log_tail
from coordinator.local.leaving import leave
from coordinator.local.messages import Boot, FlowerRequest, Need, Ready
from coordinator.local.moved import check_not_moved
from coordinator.local.paths import stack_paths
from coordinator.local.roles import role_table
from coordinator.local.settings_env import settings_env
from coordinator.local.starter import connect
from schemas.errors import ChordscribeError, ConfigurationError, SchemaVersionError
from schemas.names import ENGINE_NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from coordinator.local.connection import Connection
    from coordinator.local.paths import StackPaths
    from schemas.settings import Settings

__all__ = ["FlowerRequest", "RunningStack", "running"]

#: Seconds without a word after which the supervisor counts as hung.
SILENCE_SECONDS = 600.0
#: The errors that the supervisor reports by name; any other is a `LocalStackError`.
KINDS: dict[str, type[ChordscribeError]] = {
    kind.__name__: kind
    for kind in (DataDirectoryError, ServersMissingError, StackEndingError, SchemaVersionError)
}


class RunningStack:
    """A stack that runs, at least, until this program gives it up."""

    #: The settings with the addresses of the servers filled in.
    settings: Settings
    #: Whether it ran before this program asked for it.
    reused: bool = False
    #: Where Flower is; None when nobody asked for it.
    flower_url: str | None = None

    def __init__(self, settings: Settings, on_status: Callable[[str], None]) -> None:
        """Describe a stack whose servers all run elsewhere."""
        self.settings = settings
        self._given = settings
        self._say = on_status
        self._connection: Connection | None = None
        self._notices: list[str] = []
        #: Done while the supervisor does what it was asked first.
        self._meanwhile: Callable[[], None] | None = None

    @property
    def embedded(self) -> bool:
        """Whether anything of it is embedded."""
        return self._connection is not None

    def need(
        self,
        *,
        engines: Sequence[str] = (),
        work: bool = True,
        broker: bool = False,
        flower: FlowerRequest | None = None,
    ) -> None:
        """Have more of the stack running; what runs elsewhere is taken to run.

        Raises:
            LocalStackError: it cannot be started; the message says why.
            StackLostError: the supervisor is gone.
            ConfigurationError: a name is no engine's, or the data directory cannot be used.
        """
        for name in engines:
            if not re.fullmatch(ENGINE_NAME_PATTERN, name):
                message = f"{name!r} cannot be an engine's name"
                raise ConfigurationError(message)
        if self._connection is None:
            return
        elsewhere = _elsewhere(self._given)
        need = Need(broker, work, tuple(engines), flower, *elsewhere)
        self._connection.send({"need": need.to_wire()})
        if self._meanwhile is not None:
            self._meanwhile()
            self._meanwhile = None
        self._fill_in(self._answer(self._connection))

    def poll(self, timeout_seconds: float = 0.0) -> str | None:
        """Return something that went wrong in the stack since; None when nothing did in time.

        Raises:
            StackLostError: the supervisor is gone.
        """
        if self._connection is None:
            time.sleep(timeout_seconds)
        elif not self._notices:
            message = self._connection.receive(timeout_seconds) or {}
            self._notices += [message["notice"]] if "notice" in message else []
        return self._notices.pop(0) if self._notices else None

    def _answer(self, connection: Connection) -> Ready:
        while (message := connection.receive(SILENCE_SECONDS)) is not None:
            if "status" in message:
                self._say(message["status"])
            elif "notice" in message:
                self._notices.append(message["notice"])
            elif "error" in message:
                raise KINDS.get(message["kind"], LocalStackError)(message["error"])
            else:
                return Ready(**message["ready"])
        silent = f"the supervisor has said nothing for {SILENCE_SECONDS:.0f} s"
        raise LocalStackError(silent)

    def _fill_in(self, ready: Ready) -> None:
        self.flower_url = ready.flower_url
        self.settings = self._given.model_copy(
            update={
                "broker_url": SecretStr(ready.broker_url) if ready.broker_url else None,
                "database_url": SecretStr(ready.database_url),
            }
        )


class _Embedded(RunningStack):
    """A stack of which at least one server is embedded."""

    def open(
        self,
        paths: StackPaths,
        boot: Boot,
        engines: Sequence[str] | Callable[[], Sequence[str]],
        meanwhile: Callable[[], None] | None,
        **need: object,
    ) -> None:
        """Find it or start it, then have it run what is needed."""
        self._meanwhile = meanwhile
        while True:
            self._connection, self.reused = connect(paths, boot, self._say)
            names = engines() if callable(engines) else engines
            try:
                self.need(engines=names, **need)  # type: ignore[arg-type]  # as `running` was given
            except (StackEndingError, StackLostError):
                if not self.reused:
                    said = log_tail(paths.logs, "supervisor", lines=1)
                    message = f"the stack's supervisor ended at its start: {said}"
                    raise LocalStackError(message) from None
                self._connection.close()
            else:
                return

    def close(self, paths: StackPaths) -> None:
        """Give it up; wait until it has stopped if nobody else uses it."""
        if self._connection is not None:
            leave(self._connection, paths, self._say)


@contextmanager
def running(  # noqa: PLR0913  # by name only; each is a thing that can run, or not
    settings: Settings,
    *,
    engines: Sequence[str] | Callable[[], Sequence[str]] = (),
    work: bool = True,
    broker: bool = False,
    flower: FlowerRequest | None = None,
    on_status: Callable[[str], None] | None = None,
    roles: Mapping[str, Sequence[str]] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Iterator[RunningStack]:
    """Have the embedded stack of `settings.data_dir` running within the block.

    The database always runs. A stack that runs already is used, with more started if need be;
    its own settings hold for its workers then. Where `settings` name servers, those are used
    and none is embedded for them; where they name both, nothing is started at all.

    Args:
        settings: with the data directory.
        engines: those whose workers shall run, besides the engines of unfinished runs; or what
            finds them out, as the supervisor begins.
        work: whether the coordinator and the workers run; False is enough to read the ledger.
        broker: whether the broker runs even without them.
        flower: how Flower is reached, if it shall run.
        on_status: told, in a few words, what takes time.
        roles: command lines by role; None: those of the installed packages.
        meanwhile: done once as the servers start, such as imports; not at all where none is
            embedded.

    Raises:
        LocalStackError: something cannot be started; the message says why.
        ServersMissingError: no server binary runs on this machine.
        ConfigurationError: the data directory cannot be used, or an engine's name is none.
        MovedError: the installation went to servers.
        SchemaVersionError: the database was written by a newer Chordscribe.
    """
    say = on_status or (lambda _text: None)
    if all(_elsewhere(settings)):
        if flower is not None:
            message = "Flower is started with the embedded stack only, and both servers are set"
            raise ConfigurationError(message)
        yield RunningStack(settings, say)
        return
    paths = stack_paths(settings.data_dir)
    check_not_moved(paths.data)
    boot = Boot(
        str(paths.data), *_elsewhere(settings), settings_env(settings), roles or role_table()
    )
    stack = _Embedded(settings, say)
    try:
        stack.open(paths, boot, engines, meanwhile, work=work, broker=broker, flower=flower)
        yield stack
    finally:
        stack.close(paths)


def _elsewhere(settings: Settings) -> tuple[str | None, str | None]:
    """Return the addresses of the broker and the database that are not embedded."""
    broker, database = settings.broker_url, settings.database_url
    return (
        broker.get_secret_value() if broker else None,
        database.get_secret_value() if database else None,
    )
