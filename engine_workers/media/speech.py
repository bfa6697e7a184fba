"""Finds where in a recording anybody speaks, as it is decoded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from engine_workers.engines.audio import SAMPLE_RATE
from schemas.audio import SpeechMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Samples of which one probability is told, and how many before them the model is shown.
WINDOW, CONTEXT = 512, 64
#: Windows given to the model at a time: 10 s.
BATCH = 320
#: Numbers of the model's memory.
STATE = 128
#: The model's file below faster-whisper's folder.
MODEL = Path("assets") / "silero_vad_v6.onnx"
#: Speech begins above the first probability, ends below the second; Silero's own defaults.
BEGINS, ENDS = 0.5, 0.35
#: Seconds: a shorter silence ends no stretch, a shorter stretch is none; each is widened by the
#: third, for the model hears the edges of words late.
LEAST_SILENCE, LEAST_SPEECH, MARGIN = 0.3, 0.1, 0.1
#: Decibels above the quietest tenth of a recording, and below full scale, that count as speech
#: where the model is missing.
ABOVE_NOISE, BELOW_FULL = 9.0, -50.0


class Listener(Protocol):
    """Takes samples piece by piece; tells at the end how likely each window is speech."""

    #: What `SpeechMap.found_by` says.
    name: str

    def add(self, samples: NDArray[np.float32]) -> None:
        """Listen to more samples."""

    def probabilities(self) -> NDArray[np.float32]:
        """Return one for each window."""


class Silero:
    """The Silero model that faster-whisper ships, its memory carried from piece to piece."""

    name = "silero"

    def __init__(self, model: Path) -> None:
        """Load the model; it takes 10 ms."""
        import onnxruntime  # noqa: PLC0415  # only where the model is

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            str(model), providers=["CPUExecutionProvider"], sess_options=options
        )
        self._memory = [np.zeros((1, 1, STATE), np.float32) for _ in range(2)]
        self._rest = np.zeros(CONTEXT, np.float32)
        self._found: list[NDArray[np.float32]] = []

    def add(self, samples: NDArray[np.float32]) -> None:
        """Listen to more samples."""
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= CONTEXT + BATCH * WINDOW:
            self._listen(BATCH)

    def probabilities(self) -> NDArray[np.float32]:
        """Return one for each window, the last filled up with silence."""
        left = -(-(len(self._rest) - CONTEXT) // WINDOW)
        if left:
            self._rest = np.pad(self._rest, (0, left * WINDOW + CONTEXT - len(self._rest)))
            self._listen(left)
        return np.concatenate(self._found) if self._found else np.zeros(0, np.float32)

    def _listen(self, windows: int) -> None:
        view = np.lib.stride_tricks.sliding_window_view(self._rest, CONTEXT + WINDOW)
        given = np.ascontiguousarray(view[: windows * WINDOW : WINDOW])
        first, second = self._memory
        out, *self._memory = self._session.run(None, {"input": given, "h": first, "c": second})
        self._found.append(np.asarray(out, np.float32).reshape(-1))
        self._rest = self._rest[windows * WINDOW :].copy()


class Energy:
    """Takes what is louder than the recording's own noise for speech."""

    name = "energy"

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = np.zeros(0, np.float32)
        self._power: list[NDArray[np.float32]] = []

    def add(self, samples: NDArray[np.float32]) -> None:
        """Listen to more samples."""
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) // WINDOW * WINDOW
        self._power.append((joined[:whole].reshape(-1, WINDOW) ** 2).mean(axis=1))
        self._rest = joined[whole:]

    def probabilities(self) -> NDArray[np.float32]:
        """Return 1 for a loud window, 0 for another."""
        if len(self._rest):
            self._power.append(np.array([(self._rest**2).mean()], np.float32))
        power = np.concatenate(self._power) if self._power else np.zeros(0, np.float32)
        if not len(power):
            return power
        level = 10 * np.log10(power + 1e-12)
        least = max(float(np.percentile(level, 10)) + ABOVE_NOISE, BELOW_FULL)
        loud: NDArray[np.float32] = (level >= least).astype(np.float32)
        return loud


def listener() -> Listener:
    """Return the best listener that is installed here."""
    found = find_spec("faster_whisper")
    folders = found.submodule_search_locations if found else None
    model = Path(next(iter(folders))) / MODEL if folders else None
    if model is not None and model.is_file() and find_spec("onnxruntime"):
        return Silero(model)
    return Energy()


def speech_map(heard: Listener, seconds: float) -> SpeechMap:
    """Return where anybody speaks in a recording of that length."""
    step = WINDOW / SAMPLE_RATE
    spans: list[tuple[float, float]] = []
    for first, last in _stretches(heard.probabilities()):
        start, end = first * step, last * step
        if spans and start - spans[-1][1] < LEAST_SILENCE:
            start = spans.pop()[0]
        spans.append((start, end))
    kept = [(start, end) for start, end in spans if end - start >= LEAST_SPEECH]
    widened = tuple(
        (round(max(0.0, start - MARGIN), 3), round(min(seconds, end + MARGIN), 3))
        for start, end in kept
        if start < seconds
    )
    return SpeechMap(spans=widened, found_by=heard.name)


def _stretches(probabilities: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return first window and last, exclusive, of each stretch of speech."""
    found: list[tuple[int, int]] = []
    begin: int | None = None
    for index in np.flatnonzero((probabilities >= BEGINS) | (probabilities < ENDS)):
        loud = probabilities[index] >= BEGINS
        if loud and begin is None:
            begin = int(index)
        elif not loud and begin is not None:
            found.append((begin, int(index)))
            begin = None
    if begin is not None:
        found.append((begin, len(probabilities)))
    return found
