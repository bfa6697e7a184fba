"""Runs NIST's ROVER (Debian's package `sctk`) on the same recordings."""

from __future__ import annotations

import math
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from aggregation.align.network import Network
from aggregation.pipeline import understand
from aggregation.tokens import Tokens
from tests.benchmarks.consensus.data import Recording
from tests.benchmarks.consensus.merging import question, reference
from tests.benchmarks.consensus.score import Errors, count

#: Where Debian installs it.
PLACES = ("/usr/lib/sctk/bin", "/usr/bin")
#: Seconds between the invented times of words of engines that give none.
STEP_SECONDS = 0.3
#: What a word without a confidence counts as.
NO_CONFIDENCE = 0.8
#: Engines from which a mode without `-T` takes minutes: only the best two of them are run.
SLOW_ENGINES = 3
#: Slots of the pieces that ROVER is given.
PIECE_SLOTS = 300
#: A shared first word: ROVER aborts when a system has no words for a file.
SENTINEL = "zzsentinelzz"


@dataclass(frozen=True, slots=True)
class Mode:
    """One way of calling ROVER."""

    name: str
    options: tuple[str, ...]


_FREQUENCY = ("-m", "meth1", "-a", "1.0", "-c", "0.0")
_AVERAGE = ("-m", "avgconf", "-a", "0.5", "-c", "0.7")
_MAXIMUM = ("-m", "maxconf", "-a", "0.5", "-c", "0.7")
MODES = (
    Mode("frequency", _FREQUENCY),
    Mode("average confidence", _AVERAGE),
    Mode("maximum confidence", _MAXIMUM),
    Mode("-T frequency", (*_FREQUENCY, "-T")),
    Mode("-T average confidence", (*_AVERAGE, "-T")),
    Mode("-T maximum confidence", (*_MAXIMUM, "-T")),
)


def rover() -> str | None:
    """Return the path of NIST's `rover`; None where it is not installed."""
    return shutil.which("rover", path=os.pathsep.join((*PLACES, os.environ.get("PATH", ""))))


def run_rover(
    recordings: Sequence[Recording], engines: Sequence[str], mode: Mode
) -> tuple[list[Errors], float] | None:
    """Return ROVER's errors by recording, and its CPU seconds; None where it crashed.

    It gets the same normal forms as our vote, in the order of `engines`. An hour of speech takes
    it more than 20 GB, so every recording comes in pieces, cut where all engines agree.
    """
    program = rover()
    if program is None:
        message = "NIST rover is not installed: install Debian's package sctk"
        raise FileNotFoundError(message)
    errors: list[Errors] = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        for recording in recordings:
            heard = {name: recording.engines[name] for name in engines}
            network = understand(question(heard, {})).context.network
            words: list[str] = []
            for first, last in _pieces(network):
                merged = _vote(program, mode, Path(folder), _rows(network, engines, first, last))
                if merged is None:
                    return None
                words += merged
            errors.append(count(reference(recording), words))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return errors, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def usable(mode: Mode, recordings: Sequence[Recording], engines: Sequence[str]) -> bool:
    """Tell whether the engines have what the mode needs: `-T` times, the others confidences."""
    words = [
        word
        for recording in recordings[:3]
        for engine in engines
        for segment in recording.engines[engine].segments
        for word in segment.words[:50]
    ]
    timed = all(word.start is not None for word in words)
    sure = any(word.confidence is not None for word in words)
    slow = len(engines) > SLOW_ENGINES and "-T" not in mode.options and "avgconf" in mode.options
    return (timed or "-T" not in mode.options) and (sure or "meth1" in mode.options) and not slow


def _pieces(network: Network) -> list[tuple[int, int]]:
    """Return (first, one past the last) slots of pieces of about `PIECE_SLOTS`."""
    agreed = np.flatnonzero((network.ids == network.ids[:, :1]).all(axis=1))
    cuts = [0]
    for slot in agreed.tolist():
        if slot - cuts[-1] >= PIECE_SLOTS:
            cuts.append(slot)
    return list(pairwise([*cuts, len(network)]))


#: One engine's words: (word, start, length, confidence).
Rows = list[tuple[str, float, float, float]]


def _rows(network: Network, engines: Sequence[str], first: int, last: int) -> list[Rows]:
    """Return the engines' words in a piece, in the order of `engines`."""
    columns = [network.engines.index(engine) for engine in engines]
    return [
        [
            (network.tokens[column].norms[i], *_place(network.tokens[column], i))
            for i in network.index[first:last, column].tolist()
            if i >= 0
        ]
        for column in columns
    ]


def _place(tokens: Tokens, i: int) -> tuple[float, float, float]:
    start, stop, sure = (float(a[i]) for a in (tokens.start, tokens.stop, tokens.confidence))
    if math.isnan(start) or math.isnan(stop):
        start = float(tokens.middle[i])
        start = STEP_SECONDS * i if math.isnan(start) else start
        stop = start + STEP_SECONDS
    return start, max(stop - start, 0.01), NO_CONFIDENCE if math.isnan(sure) else sure


def _vote(program: str, mode: Mode, folder: Path, engines: list[Rows]) -> list[str] | None:
    files: list[str] = []
    for number, rows in enumerate(engines):
        path = folder / f"{number}.ctm"
        lines = [f"f 1 0.00 0.01 {SENTINEL} 1.0"]
        at = 0.02
        for word, start, length, sure in rows:
            at = max(at + 0.001, start)
            lines.append(f"f 1 {at:.3f} {length:.3f} {word.replace(';', ',')} {sure:.4f}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        files += ["-h", str(path), "ctm"]
    out = folder / "out.ctm"
    command = [program, *files, "-o", str(out), *mode.options]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    words = [line.split()[4] for line in out.read_text("utf-8").splitlines()]
    return [word for word in words if word != SENTINEL]
