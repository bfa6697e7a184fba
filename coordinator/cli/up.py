"""`chordscribe up`: the embedded stack in the foreground, for other shells and programs to use."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from coordinator.cli.options import engine_names
from coordinator.cli.terminal import err, out
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from types import FrameType

    from coordinator.local.messages import FlowerRequest
    from schemas.settings import Settings

#: Seconds between two looks at whether we were told to stop.
LOOK_SECONDS = 0.5
#: Seconds that Flower may take to come up before its address is shown all the same.
FLOWER_SECONDS = 30.0
#: Random bytes of a generated password.
PASSWORD_BYTES = 12


def up(
    engines: Annotated[
        str | None,
        typer.Option("--engines", "-e", help="Engines to serve; none: all that can run here."),
    ] = None,
    flower: Annotated[
        bool, typer.Option("--flower", help="Serve Flower, the web page of the tasks.")
    ] = False,
    flower_port: Annotated[
        int | None, typer.Option("--flower-port", help="Flower's port; 0 takes a free one.")
    ] = None,
) -> None:
    """Run the embedded stack until Ctrl-C; jobs left unfinished go on."""
    from coordinator.catalogue import choose_engines  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.local.stack import running  # noqa: PLC0415
    from schemas.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    if settings.broker_url is not None and settings.database_url is not None:
        message = (
            "CHORDSCRIBE_BROKER_URL and CHORDSCRIBE_DATABASE_URL are set, so there is nothing to "
            "embed: run the coordinator and the workers themselves (docs/architecture.md)"
        )
        raise ConfigurationError(message)
    chosen = choose_engines(settings, engine_names(engines))
    request = _flower(settings, flower_port) if flower else None
    stopping: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        del frame
        stopping.append(signum)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    console = err()
    with running(settings, engines=chosen, flower=request, on_status=console.print) as stack:
        out().print(f"ready: {', '.join(chosen)}; data in {settings.data_dir}", markup=False)
        if request and stack.flower_url:
            _wait_until_open(stack.flower_url)
            login = f"user {request.user}, password {request.password}"
            out().print(f"flower: {stack.flower_url} ({login})", markup=False)
        out().print("Ctrl-C stops it", style="dim")
        while not stopping:
            notice = stack.poll(LOOK_SECONDS)
            if notice:
                console.print(f"chordscribe: {notice}", markup=False)
        console.print("stopping …")


def _flower(settings: Settings, port: int | None) -> FlowerRequest:
    from coordinator.local.messages import FlowerRequest  # noqa: PLC0415

    chosen = settings.flower.password
    password = chosen.get_secret_value() if chosen else secrets.token_urlsafe(PASSWORD_BYTES)
    return FlowerRequest(
        user=settings.flower.user,
        password=password,
        port=settings.flower.port if port is None else port,
    )


def _wait_until_open(url: str) -> None:
    """Return when somebody listens at `url`, or after a while."""
    address = urlsplit(url)
    deadline = time.monotonic() + FLOWER_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((address.hostname, address.port), LOOK_SECONDS).close()
        except OSError:
            time.sleep(LOOK_SECONDS / 5)
        else:
            return
