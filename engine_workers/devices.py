"""What this machine computes on: its processor, its NVIDIA graphics cards where it has some."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CPU = "cpu"
#: Restricts which cards CUDA sees, by number or by UUID.
VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Where Linux shows the drivers of AMD's cards; macOS says so by its machine type.
AMD_DRIVER = Path("/sys/module/amdgpu")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Gpu:
    """A graphics card as it was a moment ago."""

    #: `cuda:N`, counted among those that this process may see.
    device: str
    name: str
    uuid: str
    #: Bytes.
    total_vram: int
    free_vram: int
    #: Percent of the time that it computed lately; degrees Celsius. None: it does not say.
    utilisation: int | None = None
    temperature: int | None = None
    #: Bytes that a process has of it, by the process's number.
    used_by: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Devices:
    """The graphics cards that can be used; none is a normal case."""

    gpus: tuple[Gpu, ...] = ()
    #: Why there is none, where something can be said.
    note: str | None = None

    def gpu(self, device: str) -> Gpu | None:
        """Return the card that is called so; `cuda` is the first."""
        wanted = "cuda:0" if device == "cuda" else device
        return next((gpu for gpu in self.gpus if gpu.device == wanted), None)


def find_devices(
    environ: Mapping[str, str] = os.environ,
    nvml: Any = None,  # noqa: ANN401  # an untyped module
    platform: str | None = None,
) -> Devices:
    """Ask NVIDIA's driver; whatever goes wrong there, there is still the processor.

    Args:
        environ: with CUDA_VISIBLE_DEVICES, if it is set.
        nvml: the module that asks the driver; None: `pynvml`, if it is installed.
        platform: the operating system's name; None: this one's.
    """
    try:
        nvml = nvml or import_module("pynvml")
    except ImportError:
        note = _other_cards(platform) or _missing_library()
        return Devices(note=note)
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Devices(note=_other_cards(platform) or _silent_driver(error))
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        seen = list(_visible([_text(nvml.nvmlDeviceGetUUID(it)) for it in handles], environ))
        gpus = tuple(_gpu(nvml, handles[at], number) for number, at in enumerate(seen))
        return Devices(gpus, None if gpus else f"{VISIBLE} hides all NVIDIA cards")
    except nvml.NVMLError as error:
        return Devices(note=f"the NVIDIA driver does not answer: {error}")
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def choose(wanted: str, devices: Devices, *, can_use_cuda: bool) -> str:
    """Return the device of a pool, `cpu` or `cuda:N`.

    Raises:
        ConfigurationError: it is not there, or its engines cannot use it.
    """
    if wanted == CPU or (wanted == "auto" and not (can_use_cuda and devices.gpus)):
        return CPU
    if not can_use_cuda:
        message = f"its engines cannot compute on {wanted}"
        raise ConfigurationError(message)
    if wanted == "auto":
        return max(devices.gpus, key=lambda gpu: gpu.free_vram).device
    found = devices.gpu(wanted)
    if found is None:
        has = ", ".join(f"{gpu.device} ({gpu.name})" for gpu in devices.gpus)
        message = f"there is no {wanted} here: {has or devices.note or 'no NVIDIA driver'}"
        raise ConfigurationError(message)
    return found.device


def device_name(device: str | None, find: Callable[[], Devices] = find_devices) -> str:
    """Return `cpu`, or what the graphics card of a device is called, if the driver tells.

    A pool's processes see one card alone, whatever number it has among all.
    """
    if not device or device == CPU:
        return CPU
    devices = find()
    gpu = devices.gpu(device) or next(iter(devices.gpus), None)
    return gpu.name if gpu else device


def free_vram(devices: Devices) -> int | None:
    """Return the bytes that the first visible card has free; None where there is none."""
    return devices.gpus[0].free_vram if devices.gpus else None


def _gpu(nvml: Any, handle: Any, number: int) -> Gpu:  # noqa: ANN401  # the library is untyped
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    utilisation = temperature = None
    with suppress(nvml.NVMLError):
        utilisation = int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with suppress(nvml.NVMLError):
        sensor = nvml.NVML_TEMPERATURE_GPU
        temperature = int(nvml.nvmlDeviceGetTemperature(handle, sensor))
    used: dict[int, int] = {}
    with suppress(nvml.NVMLError):
        for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
            # None where the driver may not tell, as in a container.
            used[int(process.pid)] = int(process.usedGpuMemory or 0)
    return Gpu(
        f"cuda:{number}",
        _text(nvml.nvmlDeviceGetName(handle)),
        _text(nvml.nvmlDeviceGetUUID(handle)),
        int(memory.total),
        int(memory.free),
        utilisation,
        temperature,
        used,
    )


def _visible(uuids: Sequence[str], environ: Mapping[str, str]) -> Iterator[int]:
    """Yield the driver's numbers of the cards that CUDA sees, in its order."""
    asked = environ.get(VISIBLE)
    if asked is None:
        yield from range(len(uuids))
        return
    for part in (part.strip() for part in asked.split(",")):
        if part.isdigit() and int(part) < len(uuids):
            yield int(part)
        elif part.startswith("GPU-"):
            yield from (at for at, uuid in enumerate(uuids) if uuid.startswith(part))
        else:
            return  # as CUDA does: what follows a wrong entry is not seen


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _other_cards(platform: str | None) -> str | None:
    import platform as system  # noqa: PLC0415  # the argument has its name

    if (platform or system.system()) == "Darwin":
        return "Apple's graphics processor is not used: the engines compute on the processor"
    if AMD_DRIVER.exists():
        return "AMD's graphics card is not used: the engines compute on the processor"
    return None


def _missing_library() -> str | None:
    """Say what is missing where there is a card that it would show."""
    if NVIDIA_DRIVER.exists():
        return "there is an NVIDIA driver, but no library to ask it: pip install nvidia-ml-py"
    return None


def _silent_driver(error: Exception) -> str | None:
    """Say why a driver that is there does not answer; none is nothing to speak of."""
    return f"the NVIDIA driver does not answer: {error}" if NVIDIA_DRIVER.exists() else None
