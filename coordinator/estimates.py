"""Learns from the runs that have ended how long others will take."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, tuple_

from coordinator.quantiles import Key, Quantiles, first
from schemas.measure_table import Measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

#: Engine-seconds for a second of audio, before anything was measured.
DEFAULT_RTF = 0.3

KEEP = text("""
INSERT INTO measures (kind, name, device, model, median, high, samples, error)
SELECT * FROM unnest(
  CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:devices AS text[]),
  CAST(:models AS text[]), CAST(:medians AS float8[]), CAST(:highs AS float8[]),
  CAST(:samples AS int[]), CAST(:errors AS float8[]))
ON CONFLICT (kind, name, device, model) DO UPDATE SET median = excluded.median,
  high = excluded.high, samples = excluded.samples, error = excluded.error
""")


def speed_keys(engine: str, device: str | None, model: str | None) -> tuple[Key, ...]:
    """Return what may be known of an engine's speed, what fits best before what fits less."""
    device, model = device or "", model or ""
    pairs = ((device, model), (device, ""), ("", model), ("", ""))
    return tuple(dict.fromkeys(Key("rtf", engine, *pair) for pair in pairs))


def best(known: Mapping[Key, Quantiles], keys: Iterable[Key]) -> Quantiles | None:
    """Return what is known of the first of the keys of which anything is."""
    return next((known[key] for key in keys if key in known), None)


def suffix(name: str) -> str:
    """Return a file's suffix as measures name it."""
    return PurePath(name).suffix.lower().lstrip(".")[:10]


def learn(session: Session, measured: Sequence[Row[Any]]) -> None:
    """Take in what runs took, in two statements however many they are.

    Args:
        session: an open transaction, the only one that learns now.
        measured: rows with `engine`, `device`, `model`, `cost`, `took`, `audio_seconds`, `size`,
            `name`; what is not known is None.
    """
    runs = [row for row in measured if row.took and row.took > 0]
    known = _read(session, {key for row in runs for key in _keys(row)})
    for row in runs:
        for key, value, expected in _samples(row, known):
            if key not in known:
                known[key] = first(value, value if expected is None else expected)
            elif key.kind == "cost":
                known[key].learn(value, expected)
            else:
                known[key].learn(value)
    if known:
        session.execute(KEEP, _columns(sorted(known.items())))


def _read(session: Session, keys: set[Key]) -> dict[Key, Quantiles]:
    """Return those of the measures that there are."""
    if not keys:
        return {}
    columns = (Measure.kind, Measure.name, Measure.device, Measure.model)
    rows = session.execute(
        select(*columns, Measure.median, Measure.high, Measure.samples, Measure.error).where(
            tuple_(*columns).in_(sorted(keys))
        )
    )
    return {Key(*row[:4]): Quantiles(*row[4:]) for row in rows}


def _keys(row: Row[Any]) -> Iterator[Key]:
    return (key for key, _, _ in _samples(row, {}))


def _samples(
    row: Row[Any], known: Mapping[Key, Quantiles]
) -> Iterator[tuple[Key, float, float | None]]:
    """Yield what a run tells: of what, how much, what was to be expected before."""
    yield Key("run", row.engine), row.took, None
    yield Key("cost", row.engine), row.took / max(row.cost, 1e-6), 1.0
    if not row.audio_seconds:
        return
    speed = row.took / row.audio_seconds
    keys = speed_keys(row.engine, row.device, row.model)
    found = best(known, keys)
    expected = found.median if found else DEFAULT_RTF
    for key in keys:
        yield key, speed, expected
    if row.size:
        yield Key("rate", suffix(row.name)), row.size / row.audio_seconds, None


def _columns(ordered: Sequence[tuple[Key, Quantiles]]) -> dict[str, list[Any]]:
    return {
        "kinds": [key.kind for key, _ in ordered],
        "names": [key.name for key, _ in ordered],
        "devices": [key.device for key, _ in ordered],
        "models": [key.model for key, _ in ordered],
        "medians": [found.median for _, found in ordered],
        "highs": [found.high for _, found in ordered],
        "samples": [found.samples for _, found in ordered],
        "errors": [found.error for _, found in ordered],
    }
