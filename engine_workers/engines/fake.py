"""An engine that hears nothing: deterministic words, failures on demand, points to stop at."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from engine_workers.engines.base import Audio, Ease, Engine, EngineInfo
from engine_workers.errors import BadMediaError, ModelMissingError, UnsupportedError
from schemas.base import Contract
from schemas.transcript import Segment, Word

#: The words of its language, picked by the recording's content.
VOCABULARY = (
    *("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island"),
    *("juniper", "kelp", "lagoon", "maple", "north", "ocean", "prairie", "quartz", "river"),
    *("summit", "tundra", "upland", "valley", "willow", "yarrow", "zephyr"),
)
#: Seconds between two looks at whether a held engine may go on, and the most it waits.
POLL_SECONDS, HELD_SECONDS = 0.01, 120.0
#: What it never gives back, if asked to leak.
LEAKED: list[bytes] = []
#: The kinds of failure that it can act out.
Fault = Literal[
    "bad_media",
    "unsupported",
    "model_missing",
    "out_of_memory",
    "engine_error",
    "worker_lost",
    "garbage",
]
#: What each of the simple ones raises.
ERRORS: dict[str, type[Exception]] = {
    "bad_media": BadMediaError,
    "unsupported": UnsupportedError,
    "model_missing": ModelMissingError,
    "out_of_memory": MemoryError,
    "engine_error": RuntimeError,
}
#: Where it can be held, or fail: while it loads, before, amid or after the segments.
Point = Literal["load", "begin", "middle", "end"]


class FakeOptions(Contract):
    """What it shall say, how slowly, and what shall go wrong."""

    #: Words to say over and over; None: words that follow from the recording's content.
    text: Annotated[str, Field(min_length=1, max_length=10_000)] | None = None
    words_per_second: Annotated[float, Field(gt=0, le=20)] = 2.0
    seconds_per_segment: Annotated[float, Field(gt=0, le=3600)] = 5.0
    #: Wall seconds that each segment takes.
    delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    #: Bytes that each segment leaves behind for as long as the process lives.
    leak_bytes: Annotated[int, Field(ge=0, le=2**26)] = 0
    confidence: Annotated[float, Field(ge=0, le=1)] | None = 0.9
    fail: Fault | None = None
    fail_at: Point = "begin"
    #: From when on it no longer runs out of memory: once this was eased.
    enough: Ease | None = None
    batch_size: Annotated[int, Field(ge=1, le=64)] = 8
    device: Literal["cpu", "pretended"] = "cpu"
    #: At this point it makes `POINT.reached` in `hold_dir`, then waits for `POINT.go` there.
    hold_at: Point | None = None
    hold_dir: str | None = None


class Fake(Engine):
    """Says the same words for the same recording, with times and confidences."""

    info = EngineInfo(
        name="fake",
        devices=("cpu", "pretended"),
        load_options=("device",),
        repeatable=False,
        testing=True,
    )
    Options = FakeOptions

    @property
    def version(self) -> str:
        """It never changes."""
        return "1"

    def load(self) -> None:
        """Load nothing, but stop or fail here when asked to."""
        self._pass("load")

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Yield segments of equal length that cover the whole recording."""
        self._pass("begin")
        words = self._words(audio)
        length = self.options.seconds_per_segment
        count = math.ceil(audio.seconds / length)
        for number in range(count):
            if number == count // 2:
                self._pass("middle")
            if self.options.delay_seconds:
                time.sleep(self.options.delay_seconds)
            if self.options.leak_bytes:
                LEAKED.append(b"\1" * self.options.leak_bytes)
            start = number * length
            yield self._segment(words, start, min(start + length, audio.seconds))
        if self.options.fail == "garbage":
            yield {"text": "no segment"}  # type: ignore[misc]  # that is the point
        self._pass("end")

    def _segment(self, words: Iterator[str], start: float, end: float) -> Segment:
        step = 1 / self.options.words_per_second
        count = max(1, int((end - start) / step))
        step = min(step, (end - start) / count)
        said: tuple[Word, ...] = tuple(
            self.word(
                next(words),
                round(start + index * step, 3),
                round(start + (index + 1) * step, 3),
                confidence=self.options.confidence,
            )
            for index in range(count)
        )
        text = " ".join(word.text for word in said)
        return self.segment(start, end, text, words=said, confidence=self.options.confidence)

    def _words(self, audio: Audio) -> Iterator[str]:
        if self.options.text:
            yield from itertools.cycle(self.options.text.split())
        seed = hashlib.sha256(audio.samples.tobytes()).digest()
        for block in itertools.count():
            for byte in hashlib.sha256(seed + block.to_bytes(4)).digest():
                yield VOCABULARY[byte % len(VOCABULARY)]

    def _pass(self, point: str) -> None:
        if self.options.hold_at == point and self.options.hold_dir:
            _hold(Path(self.options.hold_dir), point)
        if self.options.fail_at != point:
            return
        if self.options.fail == "worker_lost":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.options.fail in ERRORS and not self._has_enough():
            message = f"asked to fail at '{point}'"
            raise ERRORS[self.options.fail](message)

    def _has_enough(self) -> bool:
        """Whether memory suffices since it was eased."""
        if self.options.enough is Ease.CPU:
            return bool(self.options.device == "cpu")
        return self.options.enough is Ease.SMALLER_BATCH and self.options.batch_size == 1


def _hold(folder: Path, point: str) -> None:
    (folder / f"{point}.reached").touch()
    deadline = time.monotonic() + HELD_SECONDS
    while not (folder / f"{point}.go").exists():
        if time.monotonic() > deadline:
            message = f"held at '{point}' for {HELD_SECONDS:.0f} s, and nobody let it go"
            raise TimeoutError(message)
        time.sleep(POLL_SECONDS)
