"""What every test can ask for: private folders, real servers, a ledger of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psycopg
import pytest
import redis

from coordinator.local.paths import stack_paths
from coordinator.local.postgres import NAME, PORT, database_url
from coordinator.local.stack import RunningStack, running
from coordinator.local.valkey import broker_url
from schemas.database import Database
from schemas.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.settings import Settings

# How long an example takes is the machine's business.
hypothesis.settings.register_profile("chordscribe", deadline=None)
hypothesis.settings.load_profile("chordscribe")

pytest_plugins = ("tests.tools.no_network",)

#: Database numbers of the broker; each test gets the next, emptied.
BROKER_DATABASES = itertools.cycle(range(1, 16))
#: Numbers in the names of the tests' databases.
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Servers:
    """The Postgres and the Valkey of this test session; no role runs beside them."""

    #: The folder of their sockets.
    sockets: Path

    def settings(self, database: str, **more: object) -> Settings:
        """Return settings that point at one database, and at an empty broker."""
        number = next(BROKER_DATABASES)
        socket = self.sockets / "valkey.sock"
        with redis.Redis(unix_socket_path=str(socket), db=number) as broker:
            broker.flushdb()
        return load_settings(
            _env_file=None,
            broker_url=broker_url(socket, number),
            database_url=database_url(self.sockets, database),
            **more,
        )

    def execute(self, statement: str) -> None:
        """Run a statement outside of any test's database."""
        with psycopg.connect(
            host=str(self.sockets), port=PORT, user=NAME, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder with a short path that the servers' user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp")).resolve()
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def own_settings(data_dir: Path) -> Settings:
    """Return settings with everything embedded in `data_dir`, whatever the environment says."""
    return load_settings(_env_file=None, broker_url=None, database_url=None, data_dir=data_dir)


@pytest.fixture(scope="session", autouse=True)
def _own_state() -> Iterator[None]:
    """Keep what the product keeps for its user in a folder of this session's own."""
    with private_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield


@pytest.fixture
def reachable_tmp() -> Iterator[Path]:
    """Return a folder of this test's own that can be a data directory, whoever runs the tests."""
    with private_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """Return a data directory with an empty ledger, where nothing runs.

    It is made once, as that takes longest; each test that uses it leaves it as it found it.
    """
    with private_folder() as folder:
        with running(own_settings(folder / "data"), work=False):
            pass
        yield folder / "data"


@pytest.fixture
def copied_data_dir(data_dir: Path, reachable_tmp: Path) -> Path:
    """Return a copy of the data directory, for a test that spoils it."""
    copy = reachable_tmp / "data"
    subprocess.run(["cp", "-a", data_dir, copy], check=True)  # noqa: S607  # keeps the owners
    return copy


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Start one Postgres and one Valkey for the whole session."""
    with private_folder() as folder:
        settings = own_settings(folder / "data")
        with running(settings, work=False, broker=True):
            found = Servers(stack_paths(settings.data_dir).sockets)
            # No test outlives a power cut.
            found.execute("ALTER SYSTEM SET fsync = off")
            found.execute("SELECT pg_reload_conf()")
            yield found


@pytest.fixture
def settings(servers: Servers, reachable_tmp: Path) -> Iterator[Settings]:
    """Return settings with a ledger, a broker and a media store of this test's own."""
    name = f"test_{next(NUMBERS)}"
    servers.execute(f"CREATE DATABASE {name} TEMPLATE {NAME}")
    yield servers.settings(name, data_dir=reachable_tmp, media_dir=reachable_tmp / "media")
    servers.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """Return a ledger with the present schema and no rows."""
    found = Database(settings)
    yield found
    found.dispose()


@pytest.fixture(scope="session")
def running_stack() -> Iterator[RunningStack]:
    """Run the whole product with the engine `fake`, its ledger shared by the session's tests."""
    with (
        private_folder() as folder,
        running(own_settings(folder / "data"), engines=["fake"]) as stack,
    ):
        yield stack
