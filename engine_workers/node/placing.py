"""Finds out where a pool can run now: device, number of processes, threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from engine_workers.catalogue import find_engine
from engine_workers.devices import CPU, Devices, choose, find_devices
from engine_workers.errors import PoolDoesNotFitError, PoolNotReadyError, RunError
from engine_workers.footprint import Need, find, loaded_as
from engine_workers.node.fitting import Room, fit
from engine_workers.node.gauges import cores, free_memory
from engine_workers.options import engine_options
from engine_workers.pools import Placement, threads_of
from engine_workers.store.places import Models
from schemas.errors import ConfigurationError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine_workers.engines.base import Engine
    from schemas.database import Database
    from schemas.pools import PoolSettings
    from schemas.settings import Settings

log = structlog.get_logger("engine_workers")


@dataclass(frozen=True)
class Place:
    """Where a pool runs."""

    placement: Placement
    #: Its engines that are told their device.
    with_device: frozenset[str]
    #: Why it has fewer processes than were asked for.
    reason: str | None = None


class Placer:
    """Places the pools of one machine."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        devices: Callable[[], Devices] = find_devices,
    ) -> None:
        """Prepare; nothing is looked at yet."""
        #: Those in force.
        self.settings = settings
        self._database = database
        self._devices = devices

    def place(self, name: str, slots: Mapping[str, int]) -> Place:
        """Return where to run a pool, whose processes do not run now.

        Args:
            name: the pool's.
            slots: how many processes each pool of the machine shall have.

        Raises:
            PoolNotReadyError: an engine or its model is not here.
            PoolDoesNotFitError: not one process fits; the message has the figures.
        """
        pool = self.settings.pools[name]
        kinds = {engine: self._kind(engine) for engine in pool.engines_of(name)}
        devices = self._devices()
        cuda = any("cuda" in kind.info.devices for kind in kinds.values())
        try:
            device = choose(pool.device, devices, can_use_cuda=cuda)
        except ConfigurationError as error:
            raise PoolDoesNotFitError(str(error)) from error
        gpu = None if device == CPU else devices.gpu(device)
        sort = device.partition(":")[0]
        with_device = frozenset(
            engine
            for engine, kind in kinds.items()
            if "device" in kind.Options.model_fields and sort in kind.info.devices
        )
        rules = self.settings.scheduling
        room = Room(free_memory(), rules.min_free_memory, rules.min_free_vram, gpu)
        loads_on = {
            engine: (gpu.name if gpu and sort in kind.info.devices else CPU)
            for engine, kind in kinds.items()
        }
        fits = fit(slots[name], self._need(kinds, loads_on), room)
        if fits.slots == 0:
            raise PoolDoesNotFitError(fits.reason)
        threads = threads_of(name, self._sharers(slots), slots, cores())
        return Place(Placement(device, fits.slots, threads, gpu), with_device, fits.reason)

    def _sharers(self, slots: Mapping[str, int]) -> dict[str, PoolSettings]:
        return {name: self.settings.pools[name] for name in slots}

    def _kind(self, engine: str) -> type[Engine]:
        """Return an engine's class, whose model is here."""
        try:
            kind = find_engine(engine)
            if not self.settings.worker.pull_models:
                _ = self._made(kind).model
        except RunError as error:
            message = f"{engine}: {error}"
            raise PoolNotReadyError(message) from error
        except Exception as error:  # the plug-in's own code
            message = f"{engine} is broken: {type(error).__name__}: {error}"
            raise PoolNotReadyError(message) from error
        return kind

    def _made(self, kind: type[Engine]) -> Engine:
        configured = self.settings.engines.get(kind.info.name, {})
        models = Models(self.settings.models_root)
        return kind(engine_options(kind, configured, models=models))

    def _need(self, kinds: Mapping[str, type[Engine]], loads_on: Mapping[str, str]) -> Need | None:
        """Return what the hungriest of the engines needs, as far as it was measured."""
        found: list[Need] = []
        try:
            with self._database.reading() as session:
                for engine, kind in kinds.items():
                    need = find(session, loaded_as(self._made(kind), loads_on[engine]))
                    found += [need] if need else []
        except (LedgerError, RunError) as error:
            log.warning("footprints_not_read", error=str(error))
            return None
        if not found:
            return None
        vram = [need.vram for need in found if need.vram]
        return Need(max(need.memory for need in found), max(vram) if vram else None)
