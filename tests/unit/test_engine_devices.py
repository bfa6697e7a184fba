"""Graphics cards are found as the driver tells them; without one there is the processor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine_workers import devices
from engine_workers.devices import Devices, choose, find_devices, free_vram
from schemas.errors import ConfigurationError
from tests.unit.recorded_nvml import A100, MEGABYTE, SLICE, T4, Nvml


def found(*cards: object, environ: dict[str, str] | None = None, **options: object) -> Devices:
    """Return what is found on a machine with these cards."""
    return find_devices(environ or {}, Nvml(*cards, **options), "Linux")  # type: ignore[arg-type]


@pytest.mark.parametrize("in_bytes", [False, True])
def test_a_card_is_told_with_all_its_figures(*, in_bytes: bool) -> None:
    nvml = Nvml(A100, T4, bytes_=in_bytes)
    first, second = find_devices({}, nvml, "Linux").gpus
    assert (first.device, first.name) == ("cuda:0", "NVIDIA A100-SXM4-40GB")
    assert (first.total_vram, first.free_vram) == (40_960 * MEGABYTE, 40_330 * MEGABYTE)
    assert (second.utilisation, second.temperature) == (87, 71)
    assert second.used_by == {4711: 6 * 2**30}
    assert nvml.open == 0, "the driver is closed again"


def test_a_slice_of_a_card_need_not_say_how_busy_it_is() -> None:
    [gpu] = found(SLICE).gpus
    assert (gpu.utilisation, gpu.temperature) == (None, None)
    assert gpu.free_vram == 9_900 * MEGABYTE


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1,0", ["Tesla T4", A100.name]),
        ("1", ["Tesla T4"]),
        ("GPU-aa", [A100.name]),
        ("", []),
        ("-1", []),
        ("0,9,1", [A100.name]),
    ],
)
def test_cards_are_counted_as_cuda_counts_them(visible: str, names: list[str]) -> None:
    seen = found(A100, T4, environ={"CUDA_VISIBLE_DEVICES": visible})
    assert [gpu.name for gpu in seen.gpus] == names
    assert [gpu.device for gpu in seen.gpus] == [f"cuda:{n}" for n in range(len(names))]
    assert (seen.note is None) == bool(names)


def test_a_machine_without_a_driver_is_a_normal_case() -> None:
    assert found(A100, broken="nvmlInit") == Devices()
    assert free_vram(Devices()) is None


def test_a_machine_without_the_library_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_devices({}, platform="Linux") == Devices()


def test_a_driver_that_fails_amid_its_answer_costs_the_cards_alone() -> None:
    seen = found(A100, broken="nvmlDeviceGetMemoryInfo")
    assert seen.gpus == ()
    assert "does not answer" in (seen.note or "")


def test_cards_of_other_makers_count_as_the_processor_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apple = find_devices({}, Nvml(broken="nvmlInit"), "Darwin")
    assert "Apple" in (apple.note or "")
    monkeypatch.setattr(devices, "AMD_DRIVER", tmp_path)
    amd = found(broken="nvmlInit")
    assert "AMD" in (amd.note or "")
    assert choose("auto", amd, can_use_cuda=True) == "cpu"


def test_auto_takes_the_card_with_most_free_memory() -> None:
    here = found(T4, A100)
    assert choose("auto", here, can_use_cuda=True) == "cuda:1"
    assert choose("auto", here, can_use_cuda=False) == "cpu"
    assert choose("cuda", here, can_use_cuda=True) == "cuda:0"
    assert choose("cpu", here, can_use_cuda=True) == "cpu"
    assert choose("auto", Devices(), can_use_cuda=True) == "cpu"


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no cuda:2 here: cuda:0 \(Tesla T4\)"):
        choose("cuda:2", found(T4), can_use_cuda=True)
    with pytest.raises(ConfigurationError, match="no NVIDIA driver"):
        choose("cuda", Devices(), can_use_cuda=True)
    with pytest.raises(ConfigurationError, match="cannot compute on cuda"):
        choose("cuda", found(T4), can_use_cuda=False)
