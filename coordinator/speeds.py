"""How fast the live pools of an engine are: what a second of audio takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text

from coordinator.estimates import DEFAULT_RTF, best, speed_keys, suffix
from coordinator.lines import presence_limits
from coordinator.quantiles import Key, Quantiles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from schemas.audio import AudioRef
    from schemas.settings import SchedulingSettings

#: Bytes for a second of audio by file suffix, before anything was measured.
DEFAULT_RATES = {"wav": 32_000.0, "flac": 20_000.0, "mp4": 250_000.0, "mkv": 250_000.0}
DEFAULT_RATE = 16_000.0
#: The least that a run is expected to take, in seconds: claiming, decoding, saving.
LEAST_SECONDS = 0.02

#: What the live pools of engines offer, all that is known of those engines and of file suffixes.
KNOWN = text("""
SELECT 'pool' AS kind, engine AS name, coalesce(card, device) AS device,
       coalesce(model, '') AS model, sum(slots)::float8 AS median, 0::float8 AS high,
       0 AS samples, 0::float8 AS error
FROM pools
WHERE engine = ANY(CAST(:engines AS text[]))
  AND seen_at > now() - make_interval(secs => :silence)
  AND coalesce(free_memory >= :memory, true) AND coalesce(free_vram >= :vram, true)
GROUP BY engine, coalesce(card, device), coalesce(model, '')
UNION ALL
SELECT kind, name, device, model, median, high, samples, error FROM measures
WHERE (kind = 'rtf' AND name = ANY(CAST(:engines AS text[])))
   OR (kind = 'rate' AND name = ANY(CAST(:suffixes AS text[])))
""")

MEASURED = text("""
SELECT name, device, model, median, high, samples, error FROM measures
WHERE kind = 'rtf' AND name = ANY(CAST(:engines AS text[]))
""")


@dataclass(frozen=True)
class Offer:
    """What the live pools of an engine that compute on one kind of device with one model have."""

    device: str
    #: Empty: nobody has said yet.
    model: str
    slots: int


@dataclass(frozen=True)
class Speeds:
    """What is known of the speed of some engines."""

    known: Mapping[Key, Quantiles] = field(default_factory=dict)
    #: Of the live pools, by engine.
    offers: Mapping[str, Sequence[Offer]] = field(default_factory=dict)

    def measured(self, engine: str, device: str | None, model: str | None) -> float | None:
        """Return the engine-seconds for a second of audio, there or as near to it as is known.

        None: nothing is.
        """
        found = best(self.known, speed_keys(engine, device, model))
        return found.median if found else None

    def rtf(self, engine: str, device: str | None = None, model: str | None = None) -> float:
        """Return the same, or what is usual where nothing was measured."""
        found = self.measured(engine, device, model)
        return DEFAULT_RTF if found is None else found

    def expected_rtf(self, engine: str) -> float:
        """Return what a second of audio will take whichever of the live pools it comes to.

        Each slot does work in proportion to its speed: the harmonic mean over the slots.
        """
        offers = self.offers.get(engine, ())
        slots = sum(offer.slots for offer in offers)
        if not slots:
            return self.rtf(engine)
        work = sum(offer.slots / self.rtf(engine, offer.device, offer.model) for offer in offers)
        return slots / work

    def audio_seconds(self, size: int, name: str) -> float:
        """Return the expected length of a recording of `size` bytes."""
        kind = suffix(name)
        found = self.known.get(Key("rate", kind))
        rate = found.median if found else DEFAULT_RATES.get(kind, DEFAULT_RATE)
        return size / rate


def read_speeds(
    session: Session,
    rules: SchedulingSettings,
    engines: Collection[str],
    names: Iterable[str] = (),
) -> Speeds:
    """Return what is known of the engines, and of files of these names, in one statement."""
    known: dict[Key, Quantiles] = {}
    offers: dict[str, list[Offer]] = {}
    asked = {"engines": sorted(set(engines)), "suffixes": sorted({suffix(name) for name in names})}
    for row in session.execute(KNOWN, {**asked, **presence_limits(rules)}):
        if row.kind == "pool":
            offers.setdefault(row.name, []).append(Offer(row.device, row.model, int(row.median)))
        else:
            key = Key(row.kind, row.name, row.device, row.model)
            known[key] = Quantiles(row.median, row.high, row.samples, row.error)
    return Speeds(known, offers)


def read_measured(session: Session, engines: Collection[str]) -> Speeds:
    """Return what was measured of the engines, whichever pools there are."""
    rows = session.execute(MEASURED, {"engines": sorted(engines)})
    return Speeds({Key("rtf", *row[:3]): Quantiles(*row[3:]) for row in rows})


def expected_costs(
    session: Session,
    rules: SchedulingSettings,
    jobs: Sequence[tuple[Collection[str], AudioRef]],
    lengths: Mapping[str, float] | None = None,
) -> list[dict[str, float]]:
    """Return, for each job's engines and recording, the seconds that each engine will need.

    Args:
        session: an open transaction.
        rules: they say which pools are alive.
        jobs: the engines and the recording of each.
        lengths: seconds of the recordings whose length is known, by their SHA-256.
    """
    wanted = {engine for engines, _ in jobs for engine in engines}
    speeds = read_speeds(session, rules, wanted, {audio.name for _, audio in jobs})
    each = {engine: speeds.expected_rtf(engine) for engine in wanted}
    exact = lengths or {}
    return [_costs(speeds, each, *job, exact.get(job[1].sha256)) for job in jobs]


def _costs(
    speeds: Speeds,
    each: Mapping[str, float],
    engines: Collection[str],
    audio: AudioRef,
    length: float | None,
) -> dict[str, float]:
    seconds = speeds.audio_seconds(audio.size, audio.name) if length is None else length
    return {engine: max(LEAST_SECONDS, seconds * each[engine]) for engine in engines}
