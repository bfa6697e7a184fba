"""A whole Chordscribe of one fault test: its servers, its roles as processes, its jobs."""

from __future__ import annotations

import os
import select
import sys
import time
import wave
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg
from sqlalchemy import func, update
from sqlalchemy import select as query

from coordinator.app import make_app
from coordinator.holding import pause, resume
from coordinator.ledger import read_events, read_job, read_report
from coordinator.local.roles import celery
from coordinator.local.settings_env import settings_env
from coordinator.preparing import plans_of
from coordinator.staging import stage
from coordinator.submit import accept, job_request
from engine_workers.media.preparer import Preparer
from ops.migrate import upgrade
from schemas.database import Database
from schemas.errors import LedgerError
from schemas.media import MediaMessage
from schemas.names import CHANNEL_JOBS, QUEUE_AGGREGATION, engine_queue
from schemas.settings import LeaseSettings, Settings, WorkerSettings, load_settings
from schemas.tables import Job
from tests.chaos.containers import ProcessContainer, Worker
from tests.chaos.engines import ENGINES, install
from tests.chaos.points import VARIABLE, Points
from tests.chaos.servers import Servers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType
    from uuid import UUID

    from celery import Celery

    from schemas.audio import AudioRef
    from schemas.jobs import JobEvent, JobView
    from schemas.report import Report

#: The repository.
ROOT = Path(__file__).resolve().parents[2]
#: What the short cases wait for; the full ones use the product's own figures.
SHORT = LeaseSettings(heartbeat_seconds=1, lease_seconds=3, sweep_seconds=1)
#: Seconds between two counts of the jobs that are still open.
COUNT_SECONDS = 0.2
#: The least that a look at a database which is away is worth, in seconds.
AWAY_SECONDS = 0.2


class NotEndedError(AssertionError):
    """Jobs were still open when a test's patience ended."""


@dataclass
class Cluster:
    """Servers and roles in a folder of their own; use it as a context manager.

    A role that dies is started again while the cluster waits for jobs, as every supervisor does.
    """

    folder: Path
    leases: LeaseSettings = SHORT
    broker_options: tuple[str, ...] = ()
    postgres_options: Mapping[str, str] = field(default_factory=dict)
    more_settings: Mapping[str, object] = field(default_factory=dict)
    #: The modules of the roles; those of this package can be interfered with.
    coordinator_module: str = "tests.chaos.coordinator_main"
    aggregation_app: str = "tests.chaos.aggregation_app"
    engine_app: str = "tests.chaos.worker_app"

    def __enter__(self) -> Self:
        """Start the servers; no role runs yet."""
        self._exit = ExitStack()
        self.servers = Servers(self.folder / "data", self.broker_options, self.postgres_options)
        self._exit.callback(self.servers.stop)
        given = {
            "media_dir": self.folder / "media",
            "worker": WorkerSettings(shutdown_seconds=10.0),
            **self.more_settings,
        }
        self.settings: Settings = load_settings(
            _env_file=None,
            broker_url=self.servers.broker_url,
            database_url=self.servers.database_url,
            data_dir=self.folder / "data",
            leases=self.leases,
            **given,
        )
        upgrade(self.settings)
        self.database = Database(self.settings)
        self._exit.callback(self.database.dispose)
        self.points = self._exit.enter_context(Points(self.folder / "points"))
        self.app: Celery = make_app(self.settings)
        self._exit.callback(self.app.close)
        self.temp = self.folder / "temp"
        self.temp.mkdir()
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.worked = self.folder / "worked"
        self.worked.touch()
        install(self.folder / "plugins")
        self.roles: dict[str, ProcessContainer] = {}
        #: Roles that stay dead when they die.
        self.resting: set[str] = set()
        self._exit.callback(self._stop_roles)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every process."""
        self._exit.close()

    # --- roles

    def env(self, **more: str) -> dict[str, str]:
        """Return the environment of a role."""
        ours = {name: value for name, value in os.environ.items() if "CHORDSCRIBE" not in name}
        path = os.pathsep.join((str(ROOT), str(self.folder / "plugins")))
        return {
            **ours,
            **settings_env(self.settings),
            "CHORDSCRIBE_WORKER": self.settings.worker.model_dump_json(),
            "CHORDSCRIBE_BROKER_URL": self.servers.broker_url,
            "CHORDSCRIBE_DATABASE_URL": self.servers.database_url,
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            "REMAP_SIGTERM": "SIGQUIT",
            "C_FORCE_ROOT": "1",
            "TMPDIR": str(self.temp),
            VARIABLE: str(self.points.folder),
            "CHAOS_WORKED": str(self.worked),
            **more,
        }

    def coordinator(self, name: str = "coordinator", **env: str) -> ProcessContainer:
        """Start a coordinator."""
        argv = (sys.executable, "-P", "-m", self.coordinator_module)
        return self.start(name, argv, '"event": "ready"', **env)

    def aggregation(self, name: str = "aggregation", **env: str) -> ProcessContainer:
        """Start an aggregation worker."""
        return self._worker(name, self.aggregation_app, QUEUE_AGGREGATION, **env)

    def engine(
        self, engine: str, node: str = "a", prefix: Sequence[str] = (), **env: str
    ) -> ProcessContainer:
        """Start a worker of an engine; `prefix` is a command that runs it."""
        name = f"{engine}-{node}"
        return self._worker(name, self.engine_app, engine_queue(engine), prefix, **env)

    def threaded(self, name: str, app: str, argv: Sequence[str]) -> ProcessContainer:
        """Start a Celery worker by its own command line, without the usual options."""
        plain = ("--without-gossip", "--without-mingle", "-l", "INFO")
        return self.start(name, celery(app, *argv, *plain), " ready.")

    def start(self, name: str, argv: Sequence[str], prompt: str, **env: str) -> ProcessContainer:
        """Start a role by a command that logs `prompt` when it is ready."""
        made = ProcessContainer(name, tuple(argv), self.env(**env), self.logs, prompt)
        self.roles[name] = made
        return made

    def start_roles(self, engines: Sequence[str] = ENGINES) -> None:
        """Have one role of each kind, and a worker for each engine, running and ready."""
        wanted = {"coordinator": self.coordinator, "aggregation": self.aggregation}
        for name, start in wanted.items():
            if name not in self.roles:
                start()
        for engine in engines:
            if f"{engine}-a" not in self.roles:
                self.engine(engine)
        self.ready()

    def tidy(self) -> None:
        """End what an earlier case started beyond the usual; forget its orders."""
        self.resting.clear()
        for name in set(self.roles) - {"coordinator", "aggregation", "fake-a", "second-a"}:
            self.end(name)
        self.keep()
        self.points.disarm()
        self.points.forget()
        self.worked.write_text("")

    def ready(self) -> None:
        """Wait until every role is."""
        for name, role in self.roles.items():
            if name not in self.resting and role.status == "running":
                self.worker(name).ready()

    def worker(self, name: str) -> Worker:
        """Return a role as pytest-celery's component."""
        return Worker(self.roles[name], self.app)

    def end(self, name: str) -> None:
        """End a role, which then stays away."""
        self.roles.pop(name).stop()

    def keep(self) -> None:
        """Start again what has died."""
        for name, role in self.roles.items():
            if name not in self.resting and role.status == "exited":
                role.start()

    def _worker(
        self, name: str, app: str, queue: str, prefix: Sequence[str] = (), **env: str
    ) -> ProcessContainer:
        argv = celery(
            app,
            *("worker", "-Q", queue, "-n", f"{name}@chaos", "-P", "prefork", "-c", "1", "-E"),
            *("--without-gossip", "--without-mingle", "-l", "INFO"),
        )
        return self.start(name, (*prefix, *argv), " ready.", **env)

    def _stop_roles(self) -> None:
        for role in self.roles.values():
            role.kill()

    # --- jobs

    def recording(self, seconds: float = 0.2, number: int = 0) -> AudioRef:
        """Stage a recording of silence; another number gives other bytes."""
        path = self.folder / f"{number}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(number.to_bytes(2, "little") * int(16_000 * seconds))
        return stage(path, self.settings.media_root)

    def prepare(self, audio: AudioRef) -> None:
        """Prepare a recording here and now, where no worker does."""
        with self.database.transaction() as session:
            if plans_of(session, [audio], self.settings.media):
                return
        message = MediaMessage(sha256=audio.sha256)
        Preparer(self.settings, self.database).run(message, "test:0")

    def submit(
        self,
        count: int = 1,
        engines: Sequence[str] = ENGINES,
        *,
        audio: AudioRef | None = None,
        paused: bool = False,
        **options: object,
    ) -> list[UUID]:
        """Accept jobs that give each engine the same options."""
        audio = audio or self.recording()
        request = job_request(engines, options=dict.fromkeys(engines, options))
        made: list[UUID] = []
        while len(made) < count:
            with self.database.transaction() as session:
                for _ in range(min(500, count - len(made))):
                    job = accept(session, request, audio, media=self.settings.media).job_id
                    if paused:
                        pause(session, job)
                    made.append(job)
        return made

    def resume(self, jobs: Collection[UUID]) -> None:
        """Let paused jobs go on."""
        with self.database.transaction() as session:
            for job in jobs:
                resume(session, job)

    def wait(self, jobs: Collection[UUID], seconds: float, *, left: int = 0) -> float:
        """Wait until all jobs but `left` have ended; return how long that took, in seconds.

        Woken by the ledger's notifications and by the death of a role, which is started again.

        Raises:
            NotEndedError: they have not.
        """
        began = time.monotonic()
        deadline = began + seconds
        while True:
            with suppress(LedgerError, psycopg.OperationalError):
                with self.database.listen(CHANNEL_JOBS) as connection:
                    while self._open(jobs) > left:
                        if time.monotonic() > deadline:
                            raise NotEndedError(self.story(jobs))
                        self._next(connection, deadline)
                        self.keep()
                return time.monotonic() - began
            if time.monotonic() > deadline:
                message = "the database does not answer"
                raise NotEndedError(message)
            select.select([], [], [], AWAY_SECONDS)
            self.keep()

    def watch(self, jobs: Collection[UUID], seconds: float) -> None:
        """Do nothing but keep the roles alive until the jobs end or so many seconds have passed."""
        with suppress(NotEndedError):
            self.wait(jobs, seconds)

    def open(self, jobs: Collection[UUID]) -> int:
        """Return how many of the jobs have not ended."""
        return self._open(jobs)

    def view(self, job: UUID) -> JobView:
        """Return a job as it stands."""
        with self.database.transaction() as session:
            return read_job(session, job)

    def report(self, job: UUID) -> Report | None:
        """Return its report, if there is one."""
        with self.database.transaction() as session:
            return read_report(session, job)

    def events(self, job: UUID) -> tuple[JobEvent, ...]:
        """Return what has happened to it."""
        with self.database.transaction() as session:
            return read_events(session, job)

    def works(self) -> dict[str, int]:
        """Return how often an engine began to hear, by run."""
        counts: dict[str, int] = {}
        for run in self.worked.read_text().split():
            counts[run] = counts.get(run, 0) + 1
        return counts

    def change(self, job: UUID, **values: object) -> None:
        """Write on a job."""
        with self.database.transaction() as session:
            session.execute(update(Job).where(Job.id == job).values(**values))

    def story(self, jobs: Collection[UUID]) -> str:
        """Return what is known of the first open jobs, and the last words of each role."""
        lines = []
        with suppress(LedgerError):
            for job in self._open_jobs(jobs, 3):
                lines.append(self.view(job).model_dump_json(exclude={"audio", "request"}))
                lines += [
                    f"  {event.at:%H:%M:%S.%f} {event.kind} {event.data}"
                    for event in self.events(job)
                ]
        for name, role in self.roles.items():
            lines.append(f"--- {name}, {role.status}")
            lines += role.logs().decode(errors="replace").splitlines()[-6:]
        return "\n".join(lines)

    def _open_jobs(self, jobs: Collection[UUID], limit: int) -> list[UUID]:
        with self.database.transaction() as session:
            found = query(Job.id).where(Job.id.in_(jobs), Job.finished_at.is_(None))
            return list(session.scalars(found.limit(limit)))

    def _open(self, jobs: Collection[UUID]) -> int:
        with self.database.transaction() as session:
            counted = query(func.count()).select_from(Job)
            counted = counted.where(Job.id.in_(jobs), Job.finished_at.is_(None))
            return session.scalar(counted) or 0

    def _next(self, connection: psycopg.Connection[Any], deadline: float) -> None:
        """Wait for news: of a job, or of a role that has ended."""
        ends = [
            os.pidfd_open(role.pid)
            for name, role in self.roles.items()
            if name not in self.resting and role.status == "running"
        ]
        try:
            left = max(0.0, deadline - time.monotonic())
            select.select([connection.fileno(), *ends], [], [], min(1.0, left))
        finally:
            for handle in ends:
                os.close(handle)
        # Many jobs end in a short time: they are counted together.
        until = time.monotonic() + COUNT_SECONDS
        list(connection.notifies(timeout=0))
        while (rest := until - time.monotonic()) > 0 and select.select([connection], [], [], rest)[
            0
        ]:
            list(connection.notifies(timeout=0))
