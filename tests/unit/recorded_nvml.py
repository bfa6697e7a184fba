"""What NVIDIA's library answered on machines with such cards, in the shape of its module."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

MEGABYTE = 2**20


@dataclass
class Card:
    """A card with its figures."""

    name: str
    uuid: str
    total: int
    free: int
    busy: int | None = 0
    celsius: int | None = 30
    #: Bytes by process; None: the driver may not tell them.
    processes: dict[int, int | None] = field(default_factory=dict)


A100 = Card("NVIDIA A100-SXM4-40GB", "GPU-aaaa", 40_960 * MEGABYTE, 40_330 * MEGABYTE, 0, 31)
T4 = Card("Tesla T4", "GPU-bbbb", 15_360 * MEGABYTE, 9_000 * MEGABYTE, 87, 71, {4711: 6 * 2**30})
#: A slice of a card tells neither how busy nor how hot it is.
SLICE = Card("NVIDIA H100 MIG 1g.10gb", "GPU-cccc", 9_984 * MEGABYTE, 9_900 * MEGABYTE, None, None)


class NVMLError(Exception):
    """What its functions raise."""


class Nvml:
    """Stands in for the module `pynvml`."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *cards: Card, broken: str | None = None, bytes_: bool = False) -> None:
        """Have these cards; `broken` names a function that fails; old versions answer in bytes."""
        self._cards = cards
        self._broken = broken
        self._bytes = bytes_
        self.open = 0

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  # any function of the module
        """Return a function; one that fails when it is the broken one."""
        if name.startswith("nvml") and name == object.__getattribute__(self, "_broken"):

            def fail(*_: object) -> None:
                raise NVMLError(name)

            return fail
        return object.__getattribute__(self, name)

    def nvmlInit(self) -> None:  # noqa: N802  # the library's name
        """Open the driver."""
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        """Close it."""
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Count the cards."""
        return len(self._cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:  # noqa: N802
        """Return a card."""
        return self._cards[index]

    def nvmlDeviceGetUUID(self, card: Card) -> str | bytes:  # noqa: N802
        """Return what no other card is called."""
        return card.uuid.encode() if self._bytes else card.uuid

    def nvmlDeviceGetName(self, card: Card) -> str | bytes:  # noqa: N802
        """Return what it is called."""
        return card.name.encode() if self._bytes else card.name

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> SimpleNamespace:  # noqa: N802
        """Return its memory in bytes."""
        return SimpleNamespace(total=card.total, free=card.free, used=card.total - card.free)

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> SimpleNamespace:  # noqa: N802
        """Return how busy it is in percent."""
        if card.busy is None:
            message = "Not Supported"
            raise NVMLError(message)
        return SimpleNamespace(gpu=card.busy, memory=0)

    def nvmlDeviceGetTemperature(self, card: Card, _sensor: int) -> int:  # noqa: N802
        """Return how hot it is."""
        if card.celsius is None:
            message = "Not Supported"
            raise NVMLError(message)
        return card.celsius

    def nvmlDeviceGetComputeRunningProcesses(self, card: Card) -> list[SimpleNamespace]:  # noqa: N802
        """Return who computes on it."""
        return [
            SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in card.processes.items()
        ]
