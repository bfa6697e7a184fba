"""The roles' own command lines, and how often a role is started again."""

from __future__ import annotations

import asyncio
import base64
import socket
import subprocess
import sys
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import LocalStackError
from coordinator.local import keeper
from coordinator.local.children import Children
from coordinator.local.commands import Command
from coordinator.local.connection import Connection
from coordinator.local.messages import FlowerRequest, Need, Ready
from coordinator.local.owners import Owners
from coordinator.local.paths import make_folders, stack_paths
from coordinator.local.roles import celery, role_table
from coordinator.local.work import Work
from schemas.errors import ConfigurationError
from tests.integration.local_stacks import PATIENCE_SECONDS, ROLES, processes, stack_of, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coordinator.local.wire import Message


def test_a_folder_of_the_same_name_is_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("schemas", "coordinator", "celery"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    ran = subprocess.run(
        celery("coordinator.app", "report"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert "the wrong one" not in ran.stderr
    assert "software -> celery:" in ran.stdout


def test_a_role_that_always_fails_is_given_up_and_reported(
    reachable_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "FIRST_RETRY_SECONDS", 0.001)
    paths = stack_paths(reachable_tmp)
    make_folders(paths)
    starts = reachable_tmp / "starts"
    script = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit('no model')"
    role = Command("engine-bad", (sys.executable, "-S", "-c", script))

    async def watch() -> str:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        Work(Children(paths), told.set_result).start(role)
        return await asyncio.wait_for(told, PATIENCE_SECONDS)

    assert "engine-bad" in asyncio.run(watch())
    assert starts.read_text() == "x" * keeper.MAX_CRASHES
    assert "no model" in (paths.logs / "engine-bad.log").read_text()


def test_a_role_that_was_given_up_is_started_again_when_it_is_needed(
    reachable_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "FIRST_RETRY_SECONDS", 0.001)
    paths = stack_paths(reachable_tmp)
    make_folders(paths)

    async def watch() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()
        work = Work(Children(paths), told.put_nowait)
        for _ in range(2):
            work.start(Command("role", ("/bin/sh", "-c", "exit 1")))
            assert work.runs("role")
            await asyncio.wait_for(told.get(), PATIENCE_SECONDS)
            assert not work.runs("role")

    asyncio.run(watch())


def test_every_client_hears_what_went_wrong() -> None:
    async def ready(need: Need, say: Callable[[str], None]) -> Ready:
        say(f"starting {need.engines[0]}")
        return Ready("redis://", "postgresql://")

    async def tell() -> None:
        owners = Owners()
        owners.ensure = ready
        pairs = [socket.socketpair() for _ in range(2)]
        streams = [await asyncio.open_connection(sock=theirs) for _, theirs in pairs]
        serving = [asyncio.create_task(owners.serve(*stream)) for stream in streams]
        clients = [Connection(ours) for ours, _ in pairs]
        for client in clients:
            client.send({"need": Need(engines=("fake",)).to_wire()})
            assert await _heard(client) == {"status": "starting fake"}
            assert "ready" in await _heard(client)
        owners.notice("engine-fake is given up")
        for client in clients:
            assert await _heard(client) == {"notice": "engine-fake is given up"}
            client.close()
        await asyncio.wait_for(asyncio.gather(*serving), PATIENCE_SECONDS)
        assert owners.gone.is_set()

    asyncio.run(tell())


async def _heard(client: Connection) -> Message:
    return await asyncio.to_thread(client.receive, PATIENCE_SECONDS) or {}


def test_flower_asks_for_the_password(data_dir: Path) -> None:
    roles = {**ROLES, "flower": role_table()["flower"]}
    with stack_of(data_dir, work=False, broker=True, roles=roles) as stack:
        stack.need(work=False, flower=FlowerRequest("me", "secret", 0))
        url = stack.flower_url
        assert url
        assert url.startswith("http://127.0.0.1:")
        assert not processes(data_dir, "secret")
        host = url.removeprefix("http://")
        until(lambda: _status(host) == HTTPStatus.UNAUTHORIZED)
        login = base64.b64encode(b"me:secret").decode()
        assert _status(host, Authorization=f"Basic {login}") == HTTPStatus.OK


def test_a_port_that_is_taken_is_an_error_and_leaves_the_stack_usable(data_dir: Path) -> None:
    with socket.socket() as taken, stack_of(data_dir, work=False, broker=True) as stack:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalStackError, match=f"cannot listen on port {port}"):
            stack.need(work=False, flower=FlowerRequest("me", "secret", port))
        stack.need(engines=["fake"])
        assert processes(data_dir, "engine-fake")


def test_a_name_that_is_no_engines_is_refused(data_dir: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="cannot be an engine's name"),
        stack_of(data_dir, engines=["--help"]),
    ):
        pass


def _status(host: str, **headers: str) -> int | None:
    """Return how a page answers; None while nobody listens."""
    connection = HTTPConnection(host, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", "/workers", headers=headers)
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()
