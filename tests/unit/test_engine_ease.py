"""After memory ran out an engine is asked for less, and the change can be told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine_workers.ease import what_is_eased
from engine_workers.engines.base import Audio, Ease, Engine, EngineInfo
from engine_workers.engines.fake import Fake
from engine_workers.engines.faster_whisper import FasterWhisper
from engine_workers.engines.moonshine import Moonshine
from engine_workers.failures import failure_of
from engine_workers.options import engine_options
from schemas.base import Contract
from schemas.retries import MAX_ATTEMPTS, RETRY_RULES, eases
from schemas.runs import FailureKind
from schemas.transcript import Segment

BATCH, CPU = Ease.SMALLER_BATCH, Ease.CPU


class Plugin(Engine):
    """An engine that has never heard of easing."""

    info = EngineInfo(name="plugin")

    def load(self) -> None:
        """Load nothing."""

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Say one word."""
        yield self.segment(0.0, audio.seconds, "hm")


class CardOptions(Contract):
    """Options by their usual names."""

    batch_size: int = 16
    device: str = "cuda"


class Card(Plugin):
    """An engine of a graphics card that can use nothing else."""

    info = EngineInfo(name="card", devices=("cuda",))
    Options = CardOptions


class Both(Card):
    """The same with a CPU."""

    info = EngineInfo(name="both", devices=("cuda", "cpu"))


def test_each_attempt_after_a_lack_of_memory_eases_more() -> None:
    rule = RETRY_RULES[FailureKind.OUT_OF_MEMORY]
    steps = [eases(before) for before in range(MAX_ATTEMPTS)]
    assert steps == [(), (BATCH,), (BATCH, CPU)]
    assert rule.attempts == len(steps)
    assert eases(7) == steps[-1]


@pytest.mark.parametrize(
    ("kind", "asked", "steps", "changes"),
    [
        (Plugin, {}, (BATCH, CPU), {}),
        (Card, {}, (BATCH, CPU), {"batch_size": "16 → 1"}),
        (Both, {}, (BATCH, CPU), {"batch_size": "16 → 1", "device": "cuda → cpu"}),
        (Both, {"batch_size": 1, "device": "cpu"}, (BATCH, CPU), {}),
        (Fake, {"device": "pretended"}, (CPU,), {"device": "pretended → cpu"}),
        (Moonshine, {}, (BATCH, CPU), {"window_seconds": "20.0 → 10.0"}),
        (Moonshine, {"window_seconds": 5}, (BATCH, CPU), {}),
        (FasterWhisper, {}, (BATCH,), {"beam_size": "5 → 1"}),
        (
            FasterWhisper,
            {"device": "cuda", "compute_type": "float16"},
            (BATCH, CPU),
            {"beam_size": "5 → 1", "device": "cuda → cpu", "compute_type": "float16 → auto"},
        ),
        (
            FasterWhisper,
            {"device": "cpu", "compute_type": "float32"},
            (CPU,),
            {"compute_type": "float32 → int8"},
        ),
        (FasterWhisper, {"device": "cpu"}, (CPU,), {}),
    ],
)
def test_an_engine_is_eased_as_far_as_it_can_be(
    kind: type[Engine], asked: dict[str, object], steps: tuple[Ease, ...], changes: dict[str, str]
) -> None:
    assert what_is_eased(kind, engine_options(kind, {}, asked), steps) == changes


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: out of device memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("[ONNXRuntimeError] : Failed to allocate memory for requested buffer"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_what_libraries_say_of_a_lack_of_memory_is_understood(error: Exception) -> None:
    assert failure_of(error).kind is FailureKind.OUT_OF_MEMORY
