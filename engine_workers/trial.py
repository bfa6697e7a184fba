"""Measures an engine on a second of sound, in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from engine_workers.engines.audio import SAMPLE_RATE, Audio
from engine_workers.errors import EngineOutputError, ModelStoreError
from engine_workers.models import LoadedEngine
from engine_workers.sanitise import Sanitiser
from engine_workers.store.places import Models
from schemas.base import Contract
from schemas.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from schemas.settings import Settings

#: What was measured last, in the models directory, by engine.
MEASURED_FILE = "measured.json"
#: Seconds that loading and hearing may take.
TRIAL_SECONDS = 600.0
#: Hertz of the built-in sound's voice and of its three formants: an `a`.
PITCH, FORMANTS = 120.0, (730.0, 1090.0, 2440.0)
#: `ru_maxrss` counts kilobytes, on macOS bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Measured(Contract):
    """What an engine took on this machine."""

    model: str
    #: Seconds to load the model, and to hear a second of sound for the second time.
    load_seconds: float
    rtf: float
    #: Most memory that the process ever had, in bytes.
    memory_bytes: int


def voice() -> NDArray[np.float32]:
    """Return a second of a vowel, between two pauses."""
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    harmonics = np.arange(1, 40) * PITCH
    loud = sum(1 / (1 + ((harmonics - formant) / 120) ** 2) for formant in FORMANTS)
    sound = (np.sin(2 * np.pi * np.outer(t, harmonics)) * loud).sum(axis=1)
    sound *= np.clip(np.minimum(t - 0.2, 0.8 - t) * 20, 0, 1)
    return np.asarray(0.3 * sound / np.abs(sound).max(), np.float32)


def measure(name: str) -> Measured:
    """Load the engine in this process and let it hear; fit for a process that ends then.

    Raises:
        RunError: it is not here, or cannot do it.
        Exception: whatever the engine raises.
    """
    settings = load_settings()
    models, sound = Models(settings.models_root), Audio(voice())
    began = time.monotonic()
    engine = LoadedEngine().get(name, settings.engines.get(name, {}), None, models)
    loaded = time.monotonic()
    for _ in range(2):  # the first time, much is made ready
        heard = time.monotonic()
        sanitiser = Sanitiser(sound.seconds)
        for raw in engine.transcribe(sound):
            sanitiser.clean(raw)
    took = time.monotonic() - heard
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    measured = Measured(
        model=engine.model or "",
        load_seconds=round(loaded - began, 3),
        rtf=round(took / sound.seconds, 4),
        memory_bytes=peak,
    )
    engine.close()
    return measured


def measure_apart(name: str, settings: Settings) -> Measured:
    """Measure in another process, whose memory and whose crash are its own; keep the figures.

    Raises:
        EngineOutputError: the engine failed; the message is the last that it said.
        ModelStoreError: the figures cannot be kept.
    """
    program = (
        "import sys, os; from engine_workers.trial import measure; "
        "out = os.dup(1); os.dup2(2, 1); "  # native code prints to stdout too
        "os.write(out, measure(sys.argv[1]).model_dump_json().encode())"
    )
    done = subprocess.run(  # noqa: S603  # ourselves
        [sys.executable, "-P", "-c", program, name],
        capture_output=True,
        text=True,
        timeout=TRIAL_SECONDS,
        check=False,
    )
    if done.returncode != 0 or not done.stdout:
        said = [line for line in done.stderr.splitlines() if line.strip()] or [""]
        message = f"the engine {name} failed (exit {done.returncode}): {said[-1].strip()[:500]}"
        raise EngineOutputError(message)
    measured = Measured.model_validate_json(done.stdout)
    _keep(settings.models_root, name, measured)
    return measured


def measured_before(root: Path) -> dict[str, Measured]:
    """Return what was measured last, by engine; nothing where that cannot be read."""
    try:
        kept = json.loads((root / MEASURED_FILE).read_text(encoding="utf-8"))
        return {name: Measured.model_validate(value) for name, value in kept.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _keep(root: Path, name: str, measured: Measured) -> None:
    kept = {**measured_before(root), name: measured}
    plain = {engine: value.model_dump(mode="json") for engine, value in sorted(kept.items())}
    try:
        root.mkdir(parents=True, exist_ok=True)
        new = root / f".{MEASURED_FILE}.new"
        new.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
        new.replace(root / MEASURED_FILE)
    except OSError as error:
        message = f"the figures cannot be kept in '{root}': {error}"
        raise ModelStoreError(message) from error
