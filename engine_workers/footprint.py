"""Writes down how much memory a process needed that has loaded a model and used it."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from engine_workers.devices import CPU, VISIBLE, Devices, find_devices
from schemas.errors import LedgerError
from schemas.node_tables import Footprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from engine_workers.engines.base import Engine
    from schemas.base import Contract
    from schemas.database import Database

#: `ru_maxrss` counts kilobytes, on macOS bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
#: By how much a peak has to grow before it is written down again.
WORTH_TELLING = 1.05

log = structlog.get_logger("engine_workers")


@dataclass(frozen=True)
class Loaded:
    """What was loaded: processes that load the same need the same."""

    engine: str
    model: str
    variant: str
    #: `cpu`, or what the graphics card is called.
    device: str


@dataclass(frozen=True)
class Need:
    """Bytes that one process needs."""

    memory: int
    vram: int | None = None


def loaded_as(engine: Engine, device: str) -> Loaded:
    """Return what an engine with its options is called in the ledger."""
    return Loaded(engine.info.name, engine.model or "", variant(engine, engine.options), device)


def variant(engine: Engine, options: Contract) -> str:
    """Return the options, besides model and device, that decide what is loaded."""
    known = {*engine.info.model_options, "device", "cpu_threads"}
    names = [name for name in engine.info.load_options if name not in known]
    return ", ".join(f"{name}={getattr(options, name, None)}" for name in sorted(names))


class FootprintWatcher:
    """Measures this process after each use of an engine; tells the ledger when it grew."""

    def __init__(self, database: Database, devices: Callable[[], Devices] = find_devices) -> None:
        """Know nothing yet."""
        self._database = database
        self._devices = devices
        self._known: dict[Loaded, Need] = {}

    def __call__(self, engine: Engine, load_seconds: float) -> None:
        """Measure; what the ledger does not take is left for the next time."""
        device, vram = self._vram()
        need = Need(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT, vram)
        loaded = loaded_as(engine, device)
        if not _grown(self._known.get(loaded), need):
            return
        try:
            with self._database.transaction() as session:
                store(session, loaded, need, load_seconds)
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("footprint_not_stored", error=str(error))
        else:
            self._known[loaded] = need

    def _vram(self) -> tuple[str, int | None]:
        """Return the name of this process's card, and the bytes that the process has of it."""
        if not os.environ.get(VISIBLE):
            return CPU, None  # no pool's process, or one on the processor
        for gpu in self._devices().gpus:
            # Another name space of processes hides whose the memory is: then all of it counts.
            used = gpu.used_by.get(os.getpid(), gpu.total_vram - gpu.free_vram)
            return gpu.name, used
        return CPU, None


def store(session: Session, loaded: Loaded, need: Need, load_seconds: float) -> None:
    """Keep the largest need that was ever seen."""
    told = insert(Footprint).values(
        **vars(loaded), memory=need.memory, vram=need.vram, load_seconds=round(load_seconds, 3)
    )
    session.execute(
        told.on_conflict_do_update(
            index_elements=["engine", "model", "variant", "device"],
            set_={
                "memory": func.greatest(Footprint.memory, told.excluded.memory),
                "vram": func.greatest(Footprint.vram, told.excluded.vram),
                "load_seconds": told.excluded.load_seconds,
                "measured_at": func.now(),
            },
        )
    )


def find(session: Session, loaded: Loaded) -> Need | None:
    """Return what was measured; None when it was never loaded on such a device."""
    row = session.execute(
        select(Footprint.memory, Footprint.vram).where(
            Footprint.engine == loaded.engine,
            Footprint.model == loaded.model,
            Footprint.variant == loaded.variant,
            Footprint.device == loaded.device,
        )
    ).one_or_none()
    return Need(row.memory, row.vram) if row else None


def _grown(known: Need | None, now: Need) -> bool:
    if known is None:
        return True
    grown = now.memory > known.memory * WORTH_TELLING
    return grown or (now.vram or 0) > (known.vram or 0) * WORTH_TELLING
