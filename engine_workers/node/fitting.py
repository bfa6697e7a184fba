"""Decides how many processes of a pool fit into the memory that is free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine_workers.devices import Gpu
    from engine_workers.footprint import Need

#: Bytes in a megabyte.
MEGABYTE = 10**6


@dataclass(frozen=True)
class Room:
    """What is free, in bytes; the reserves stay free."""

    memory: int
    memory_reserve: int = 0
    vram_reserve: int = 0
    #: None on the processor.
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Fit:
    """How many fit, with figures where that is fewer than wanted."""

    slots: int
    reason: str | None = None


def fit(wanted: int, need: Need | None, room: Room) -> Fit:
    """Return how many of the wanted processes fit; all, when what they need was never measured."""
    if need is None:
        return Fit(wanted)
    found = Fit(wanted)
    rows = [("memory", need.memory, room.memory, room.memory_reserve)]
    if room.gpu is not None and need.vram:
        where = f"memory of {room.gpu.device} ({room.gpu.name})"
        rows.append((where, need.vram, room.gpu.free_vram, room.vram_reserve))
    for what, each, free, reserve in rows:
        fits = max(0, (free - reserve) // max(1, each))
        if fits < found.slots:
            kept = f", {_mb(reserve)} of which stay free" if reserve else ""
            reason = (
                f"{fits} of {wanted} processes fit: each needs {_mb(each)} of {what}, "
                f"{_mb(free)} are free{kept}"
            )
            found = Fit(fits, reason)
    return found


def _mb(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MB"
