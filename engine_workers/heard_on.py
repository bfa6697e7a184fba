"""Tells the ledger what runs are heard on: the device, the model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from engine_workers.devices import CPU, device_name
from schemas.errors import LedgerError
from schemas.retries import Ease
from schemas.tables import Pool

if TYPE_CHECKING:
    from collections.abc import Collection

    from engine_workers.engines.base import Engine
    from schemas.database import Database
    from schemas.settings import Settings

#: The most characters of a name that the ledger keeps.
MAX_NAME = 200
#: Seconds after which a model is told again: the pool's row may have been written anew.
AGAIN_SECONDS = 60.0
#: Seconds after which it is told again to a ledger that does not know the worker yet.
RETRY_SECONDS = 1.0

log = structlog.get_logger("engine_workers")
_name_of = cache(device_name)


@dataclass(frozen=True)
class HeardOn:
    """What one run is heard on."""

    device: str | None
    model: str | None

    def columns(self) -> dict[str, str | None]:
        """Return the values of a run's columns; an engine may give any string as its model."""
        return {"device": _cleaned(self.device), "model": _cleaned(self.model)}


def device_of(eases: Collection[Ease], settings: Settings) -> str:
    """Return `cpu` or what this process's card is called; a run may be eased off the card."""
    return CPU if Ease.CPU in eases else _name_of(settings.worker.device)


class ModelTeller:
    """Tells which model the processes of a worker use, after the first use of each."""

    def __init__(self, database: Database, worker: str) -> None:
        """Know nothing yet; `worker` is the name by which the ledger knows the pool."""
        self._database = database
        self._worker = worker
        self._told: tuple[str, str | None] | None = None
        self._again_at = 0.0

    def __call__(self, engine: Engine, load_seconds: float) -> None:
        """Tell it; what the ledger does not take is left for a later use."""
        del load_seconds
        now, using = time.monotonic(), (engine.info.name, _cleaned(engine.model or ""))
        if using == self._told and now < self._again_at:
            return
        self._told, self._again_at = using, now + RETRY_SECONDS
        try:
            if self._store(*using):
                self._again_at = now + AGAIN_SECONDS
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("model_not_told", error=str(error))

    def _store(self, engine: str, model: str | None) -> bool:
        """Store it; return whether the worker has announced itself by now."""
        with self._database.transaction() as session:
            told = session.execute(
                update(Pool)
                .where(Pool.worker == self._worker, Pool.engine == engine)
                .values(model=model)
                .returning(Pool.worker)
                .execution_options(synchronize_session=False)
            )
            return told.one_or_none() is not None


def _cleaned(name: str | None) -> str | None:
    """Return a name as Postgres takes it."""
    if name is None:
        return None
    return name.replace("\0", "").encode(errors="replace").decode()[:MAX_NAME]
