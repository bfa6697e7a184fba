"""A machine's supervisor as an operator has it: real servers, `worker` beside `pools`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
from sqlalchemy import select

from coordinator.app import know_queues, make_app
from engine_workers.node.overview import NodeView, PoolView, read_nodes
from ops.migrate import upgrade
from schemas.database import Database
from schemas.names import TASK_TRANSCRIBE, engine_queue
from schemas.runs import RunState
from schemas.settings import load_settings
from schemas.tables import Pool
from tests.acceptance.conftest import command
from tests.chaos.servers import Servers
from tests.conftest import private_folder
from tests.integration.engine_rows import add_run, row, stage, until
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from celery import Celery

    from schemas.runs import RunMessage
    from schemas.settings import Settings

#: Seconds that one command may take, or a supervisor's end.
COMMAND_SECONDS = 100
QUEUE = engine_queue("fake")
#: What makes things happen soon enough for a test.
QUICK = {
    "CHORDSCRIBE_NODE__REPORT_SECONDS": "1",
    "CHORDSCRIBE_NODE__FIRST_RETRY_SECONDS": "0.1",
    "CHORDSCRIBE_NODE__LAST_RETRY_SECONDS": "0.2",
    "CHORDSCRIBE_WORKER__SHUTDOWN_SECONDS": "20",
    "CHORDSCRIBE_LEASES__LEASE_SECONDS": "600",
}


@dataclass
class NodeLab:
    """Servers of a test file's own, on which nodes run."""

    folder: Path
    servers: Servers
    settings: Settings
    database: Database
    app: Celery

    def env(self, **more: str) -> dict[str, str]:
        """Return the environment of commands and supervisors."""
        ours = {name: value for name, value in os.environ.items() if "CHORDSCRIBE" not in name}
        return {
            **ours,
            "CHORDSCRIBE_BROKER_URL": self.servers.broker_url,
            "CHORDSCRIBE_DATABASE_URL": self.servers.database_url,
            "CHORDSCRIBE_MEDIA_DIR": str(self.settings.media_root),
            "CHORDSCRIBE_DATA_DIR": str(self.settings.data_dir),
            "PYTHONUNBUFFERED": "1",
            **QUICK,
            **more,
        }

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product to its end."""
        return subprocess.run(
            command(*arguments),
            env=self.env(COLUMNS="200"),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def done(self, *arguments: str) -> Any:  # noqa: ANN401  # a JSON document
        """Run a command that has to succeed; return what it prints as JSON."""
        ended = self.cli(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    @contextmanager
    def node(
        self, name: str, pools: Mapping[str, Mapping[str, object]], **env: str
    ) -> Iterator[Supervised]:
        """Run a node's supervisor; whatever is left of it is killed at the end."""
        tables = {"CHORDSCRIBE_POOLS": json.dumps(pools)}
        log = (self.folder / f"{name}-{time.monotonic_ns()}.log").open("wb")
        process = subprocess.Popen(
            command("worker", "--node", name),
            env=self.env(**tables, **env),
            cwd=self.folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        node = Supervised(self, name, process, log.name)
        try:
            yield node
        except BaseException:
            print(node.log[-8000:])  # noqa: T201  # pytest shows it
            raise
        finally:
            node.seen()
            process.kill()
            process.wait()
            for child in node.left():
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            log.close()

    def views(self) -> dict[str, NodeView]:
        """Return the nodes as `pools list` has them."""
        with self.database.reading() as session:
            return {node.name: node for node in read_nodes(session)}

    def send(self, **options: Any) -> RunMessage:  # noqa: ANN401  # the engine's
        """Publish a run of the engine `fake`."""
        audio = stage(wav(tone(1.0)), self.settings.media_root)
        message = add_run(self.database, audio, **options)
        self.publish(message)
        return message

    def publish(self, message: RunMessage) -> None:
        """Send a run's message, as the coordinator does."""
        self.app.send_task(TASK_TRANSCRIBE, (), message.model_dump(mode="json"), queue=QUEUE)

    def held(self, point: str = "middle") -> tuple[RunMessage, Path]:
        """Publish a run that waits at a point until the file is made; return when it is there."""
        folder = self.folder / f"held-{time.monotonic_ns()}"
        folder.mkdir()
        message = self.send(hold_at=point, hold_dir=str(folder))
        until((folder / f"{point}.reached").exists)
        return message, folder / f"{point}.go"

    def run(self, message: RunMessage) -> Any:  # noqa: ANN401  # its row
        """Return the run as it stands."""
        return row(self.database, message.run_id)

    def until_done(self, message: RunMessage) -> None:
        """Wait until the run has succeeded."""
        until(lambda: self.run(message).state == RunState.SUCCEEDED)

    def present(self) -> list[str]:
        """Return the workers that say in the ledger that they take runs."""
        with self.database.reading() as session:
            return sorted(session.scalars(select(Pool.worker)))


@dataclass
class Supervised:
    """A supervisor with its pools."""

    lab: NodeLab
    name: str
    process: subprocess.Popen[bytes]
    log_path: str
    #: Every process that was ever seen below it.
    processes: set[psutil.Process] = field(default_factory=set)

    @property
    def log(self) -> str:
        """What it has said."""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()

    def pool(self, name: str = "fake") -> PoolView:
        """Return a pool as last reported."""
        return next(pool for pool in self.lab.views()[self.name].pools if pool.name == name)

    def until(self, state: str, name: str = "fake") -> PoolView:
        """Wait until a pool is in a state."""

        def is_so() -> bool:
            assert self.process.poll() is None, self.log
            node = self.lab.views().get(self.name)
            if node is None or node.pid != self.process.pid:
                return False  # as an earlier supervisor left it
            return any(pool.name == name and pool.state == state for pool in node.pools)

        until(is_so)
        self.seen()
        return self.pool(name)

    def seen(self) -> set[psutil.Process]:
        """Remember all processes that live below the supervisor now."""
        with suppress(psutil.NoSuchProcess):
            self.processes |= set(psutil.Process(self.process.pid).children(recursive=True))
        return self.processes

    def left(self) -> list[psutil.Process]:
        """Return those that still live, of all that were seen."""
        alive = psutil.wait_procs(list(self.processes), timeout=0)[1]
        return [process for process in alive if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def node_lab() -> Iterator[NodeLab]:
    """Start servers with an empty ledger of the present schema."""
    with private_folder() as folder:
        servers = Servers(folder / "data")
        settings = load_settings(
            _env_file=None,
            broker_url=servers.broker_url,
            database_url=servers.database_url,
            data_dir=folder / "data",
            media_dir=folder / "media",
        )
        upgrade(settings)
        database, app = Database(settings), make_app(settings)
        know_queues(app, (QUEUE,))
        try:
            yield NodeLab(folder, servers, settings, database, app)
        finally:
            app.close()
            database.dispose()
            servers.stop()
