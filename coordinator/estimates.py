"""How long a run is going to take, learnt from those that have ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, text, tuple_

from schemas.tables import Estimate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from schemas.audio import AudioRef

#: Engine-seconds for a second of audio, before anything was measured.
DEFAULT_RTF = 0.3
#: Bytes for a second of audio by file suffix, before anything was measured.
DEFAULT_RATES = {"wav": 32_000.0, "flac": 20_000.0, "mp4": 250_000.0, "mkv": 250_000.0}
DEFAULT_RATE = 16_000.0
#: The least that a run is expected to take, in seconds: claiming, decoding, saving.
LEAST_SECONDS = 0.02
#: The quantiles that are kept.
MEDIAN, HIGH = 0.5, 0.9
#: A quantile moves by this share of itself at the first samples, then less and less; at least by
#: the second share, so that it follows a change.
FIRST_STEP, LAST_STEP = 1.0, 0.05
#: So many samples make the mean error.
ERROR_SAMPLES = 100


KEEP = text("""
INSERT INTO estimates (kind, name, median, high, samples, error)
SELECT * FROM unnest(
  CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:medians AS float8[]),
  CAST(:highs AS float8[]), CAST(:samples AS int[]), CAST(:errors AS float8[]))
ON CONFLICT (kind, name) DO UPDATE SET median = excluded.median, high = excluded.high,
  samples = excluded.samples, error = excluded.error
""")


class Key(NamedTuple):
    """What an estimate is of: `rtf` of an engine, `run` seconds of one, `rate` of a suffix."""

    kind: str
    name: str


@dataclass(slots=True)
class Quantiles:
    """A running median, a running 90th percentile, the error of what was expected."""

    median: float
    high: float
    samples: int = 1
    error: float = 0.0

    def learn(self, value: float) -> None:
        """Move towards a new sample: stochastic approximation on the logarithm.

        H. Robbins, S. Monro, A Stochastic Approximation Method, 1951.
        """
        self.samples += 1
        step = max(LAST_STEP, FIRST_STEP / self.samples)
        wrong = min(abs(value - self.median) / value, 1e3)
        self.error += (wrong - self.error) / min(self.samples, ERROR_SAMPLES)
        self.median = _moved(self.median, value, MEDIAN, step)
        self.high = max(self.median, _moved(self.high, value, HIGH, step))


def _moved(old: float, value: float, quantile: float, step: float) -> float:
    if value == old:
        return old
    pull = quantile if value > old else quantile - 1.0
    return old * math.exp(2 * step * pull)


def suffix(name: str) -> str:
    """Return a file's suffix as estimates name it."""
    return PurePath(name).suffix.lower().lstrip(".")[:10]


def audio_seconds(size: int, name: str, rates: Mapping[str, float]) -> float:
    """Return the expected length of a recording of `size` bytes."""
    kind = suffix(name)
    return size / rates.get(kind, DEFAULT_RATES.get(kind, DEFAULT_RATE))


def expected_costs(
    session: Session,
    jobs: Sequence[tuple[Collection[str], AudioRef]],
    lengths: Mapping[str, float] | None = None,
) -> list[dict[str, float]]:
    """Return, for each job's engines and recording, the seconds that each engine will need.

    Args:
        session: an open transaction.
        jobs: the engines and the recording of each.
        lengths: seconds of the recordings whose length is known, by their SHA-256.
    """
    wanted = {key for engines, audio in jobs for key in _keys(engines, audio.name)}
    known = read(session, wanted)
    exact = lengths or {}
    return [expect(known, engines, audio, exact.get(audio.sha256)) for engines, audio in jobs]


def expect(
    known: Mapping[Key, Quantiles],
    engines: Collection[str],
    audio: AudioRef,
    length: float | None = None,
) -> dict[str, float]:
    """Return the seconds by engine, from estimates that were read; `length` is the recording's."""
    rates = {key.name: found.median for key, found in known.items() if key.kind == "rate"}
    seconds = audio_seconds(audio.size, audio.name, rates) if length is None else length

    def rtf(engine: str) -> float:
        found = known.get(Key("rtf", engine))
        return found.median if found else DEFAULT_RTF

    return {engine: max(LEAST_SECONDS, seconds * rtf(engine)) for engine in engines}


def read(session: Session, keys: Iterable[Key]) -> dict[Key, Quantiles]:
    """Return those of the estimates that there are."""
    rows = session.scalars(
        select(Estimate).where(tuple_(Estimate.kind, Estimate.name).in_(sorted(set(keys))))
    )
    return {
        Key(row.kind, row.name): Quantiles(row.median, row.high, row.samples, row.error)
        for row in rows
    }


def learn(session: Session, measured: Sequence[Row[Any]]) -> None:
    """Take in what runs took: rows with `engine`, `took`, `audio_seconds`, `size`, `name`."""
    samples = [(key, value) for row in measured for key, value in _samples(row) if value > 0]
    known = read(session, (key for key, _ in samples))
    for key, value in samples:
        if key in known:
            known[key].learn(value)
        else:
            known[key] = Quantiles(value, value)
    if not known:
        return
    ordered = sorted(known.items())
    session.execute(
        KEEP,
        {
            "kinds": [key.kind for key, _ in ordered],
            "names": [key.name for key, _ in ordered],
            "medians": [found.median for _, found in ordered],
            "highs": [found.high for _, found in ordered],
            "samples": [found.samples for _, found in ordered],
            "errors": [found.error for _, found in ordered],
        },
    )


def _keys(engines: Iterable[str], name: str) -> list[Key]:
    return [*(Key("rtf", engine) for engine in engines), Key("rate", suffix(name))]


def _samples(row: Row[Any]) -> list[tuple[Key, float]]:
    found = [(Key("run", row.engine), row.took)]
    if row.audio_seconds:
        found.append((Key("rtf", row.engine), row.took / row.audio_seconds))
        if row.size is not None:
            found.append((Key("rate", suffix(row.name)), row.size / row.audio_seconds))
    return found
