"""Tells the ledger which engines this worker serves, how much of it is free, that it is alive."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog
from celery.bootsteps import StartStopStep
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from engine_workers.app import app, settings
from engine_workers.devices import CPU, device_name, find_devices, free_vram
from engine_workers.forgotten import Forgotten
from engine_workers.node.gauges import free_memory
from engine_workers.standby import Standby
from schemas.database import Database
from schemas.errors import LedgerError
from schemas.names import CHANNEL_WORK, ENGINE_QUEUE_PREFIX, engine_queue
from schemas.tables import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from celery.worker import WorkController

#: Seconds until a ledger that did not answer is told again.
RETRY_SECONDS = 1.0

log = structlog.get_logger("engine_workers")


@dataclass(frozen=True)
class Presence:
    """What one worker offers."""

    #: Its node name.
    worker: str
    engines: Sequence[str]
    #: Runs that it works on at a time.
    slots: int
    device: str = CPU


def announce(database: Database, presence: Presence) -> None:
    """Say that the worker is alive; coordinators are woken when they did not know of it.

    Raises:
        LedgerError: the database does not answer.
    """
    memory = free_memory()
    vram = card = None
    if presence.device != CPU:
        devices = find_devices()
        vram, card = free_vram(devices), device_name(presence.device, lambda: devices)
    with database.transaction() as session:
        for engine in presence.engines:
            told = insert(Pool).values(
                worker=presence.worker,
                engine=engine,
                slots=presence.slots,
                device=presence.device,
                card=card,
                free_memory=memory,
                free_vram=vram,
            )
            columns = ("slots", "device", "card", "free_memory", "free_vram")
            changed = {name: told.excluded[name] for name in columns}
            session.execute(
                told.on_conflict_do_update(
                    index_elements=["worker", "engine"],
                    set_={**changed, "seen_at": func.now()},
                )
            )
        # The channel's empty payload only wakes: a worker that was gone may be back.
        session.execute(select(func.pg_notify(CHANNEL_WORK, "")))


def withdraw(database: Database, worker: str) -> None:
    """Say that the worker takes nothing more.

    Raises:
        LedgerError: the database does not answer; it counts as gone a little later.
    """
    with database.transaction() as session:
        session.execute(delete(Pool).where(Pool.worker == worker))


class Announcer:
    """Announces a worker until it is stopped, in a thread of the worker's parent process."""

    def __init__(
        self,
        database: Database,
        presence: Presence,
        every_seconds: float,
        looks: Sequence[Callable[[], object]],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            database: the ledger.
            presence: what is announced.
            every_seconds: how often.
            looks: called after each announcement: what else the worker looks at now and then.
        """
        self._database = database
        self._presence = presence
        self._every_seconds = every_seconds
        self._looks = looks
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Announce it at once, then again and again."""
        self._thread.start()

    def stop(self) -> None:
        """Take it back."""
        self._ended.set()
        self._thread.join()
        try:
            withdraw(self._database, self._presence.worker)
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("not_withdrawn", error=str(error))
        self._database.dispose()

    def _run(self) -> None:
        wait = 0.0
        while not self._ended.wait(wait):
            try:
                announce(self._database, self._presence)
            except (LedgerError, SQLAlchemyError) as error:
                log.warning("not_announced", error=str(error))
                wait = min(RETRY_SECONDS, self._every_seconds)
            else:
                for look in self._looks:
                    look()
                wait = self._every_seconds


def _consume(parent: WorkController, engine: str, wanted: bool) -> None:  # noqa: FBT001  # a callback
    """Have the worker consume an engine's queue, or not; its own thread does so in a moment."""
    consumer = parent.consumer
    change = consumer.add_task_queue if wanted else consumer.cancel_task_queue
    consumer.call_soon(change, engine_queue(engine))


class Present(StartStopStep):  # type: ignore[misc]  # celery is untyped
    """Announces the worker when its pool has started: its children are forked by then."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: WorkController, **options: object) -> None:
        """Prepare nothing yet: the pool is not there."""
        super().__init__(parent, **options)
        self._announcer: Announcer | None = None

    def start(self, parent: WorkController) -> None:
        """Begin to announce the engines whose queues it consumes."""
        queues = parent.app.amqp.queues.consume_from
        engines = sorted(
            name.removeprefix(ENGINE_QUEUE_PREFIX)
            for name in queues
            if name.startswith(ENGINE_QUEUE_PREFIX)
        )
        device = settings.worker.device or CPU
        presence = Presence(parent.hostname, engines, parent.concurrency, device)
        database, rules = Database(settings), settings.scheduling
        standby = Standby(database, rules, device, partial(_consume, parent))
        looks = (partial(standby.look, engines), Forgotten(database, settings).look)
        self._announcer = Announcer(database, presence, rules.presence_seconds, looks)
        self._announcer.start()

    def stop(self, parent: WorkController) -> None:
        """Take nothing more: the others are given what comes."""
        del parent
        if self._announcer is not None:
            self._announcer.stop()
            self._announcer = None

    terminate = stop


app.steps["worker"].add(Present)
