"""Lets one engine hear one recording."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from engine_workers.catalogue import find_engine, package_version
from engine_workers.ease import what_is_eased
from engine_workers.engines.base import Audio
from engine_workers.errors import UnsupportedError
from engine_workers.heard_on import HeardOn
from engine_workers.media.samples import samples_of
from engine_workers.options import engine_options
from engine_workers.sanitise import Sanitiser
from engine_workers.store.places import Models
from schemas.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine_workers.claim import Lease
    from engine_workers.engines.base import Engine
    from engine_workers.heartbeat import Heartbeat
    from engine_workers.models import LoadedEngine
    from schemas.settings import Settings
    from schemas.transcript import Segment


def hear(
    lease: Lease, settings: Settings, loaded: LoadedEngine, heartbeat: Heartbeat
) -> Transcript:
    """Read and transcribe the lease's recording, or its part of it.

    Raises:
        RunError: with the kind of failure, among them CancelledError.
        StaleLeaseError: another worker has the run by now.
        Exception: whatever the engine raises.
    """
    with loaded.in_use():
        return _hear(lease, settings, loaded, heartbeat)


def _hear(
    lease: Lease, settings: Settings, loaded: LoadedEngine, heartbeat: Heartbeat
) -> Transcript:
    samples, notes = samples_of(lease.audio, lease.span, settings, heartbeat.check)
    audio = Audio(samples, lease.request.language)
    heartbeat.has_decoded(audio.seconds)
    heartbeat.check()
    configured = settings.engines.get(lease.engine, {})
    asked = lease.request.options.get(lease.engine)
    models = Models(settings.models_root, settings.worker.pull_models)
    changes = _ease(lease, settings, models, heartbeat)
    engine = loaded.get(lease.engine, configured, asked, models, steps=lease.eases)
    heartbeat.has_loaded(HeardOn(lease.device, engine.model))
    _check_language(engine, audio)
    audio = _as_other_parts(engine, audio, lease.heard_language)
    heartbeat.check()
    sanitiser = Sanitiser(audio.seconds)
    segments = _segments(engine, audio, sanitiser, heartbeat.has_heard)
    return Transcript(
        engine=lease.engine,
        engine_version=engine.version or package_version(lease.engine),
        model=engine.model or "",
        language=audio.language or _language(segments),
        audio_seconds=audio.seconds,
        segments=segments,
        repairs=(*notes, *changes, *sanitiser.repairs),
    )


def _ease(
    lease: Lease, settings: Settings, models: Models, heartbeat: Heartbeat
) -> tuple[str, ...]:
    """Say in the job's story what is eased; return it for the transcript too."""
    if not lease.eases:
        return ()
    kind = find_engine(lease.engine)
    configured = settings.engines.get(lease.engine, {})
    options = engine_options(kind, configured, lease.request.options.get(lease.engine), models)
    changes = what_is_eased(kind, options, lease.eases)
    if not changes:
        return ()
    what = ", ".join(f"{name} {change}" for name, change in changes.items())
    where = {"device": settings.worker.device} if settings.worker.device else {}
    heartbeat.tell("run_eased", what=what, **where)
    return (f"heard with less, for memory had run out before: {what}",)


def _segments(
    engine: Engine, audio: Audio, sanitiser: Sanitiser, has_heard: Callable[[float], None]
) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    with redirect_stdout(sys.stderr):
        for raw in engine.transcribe(audio):
            segment = sanitiser.clean(raw)
            if segment is not None:
                segments.append(segment)
            has_heard(sanitiser.heard_seconds)
    return tuple(segments)


def _check_language(engine: Engine, audio: Audio) -> None:
    known = engine.languages
    if known and audio.primary_language and audio.primary_language not in known:
        message = (
            f"{engine.info.name} with the model {engine.model} hears {', '.join(known)}, "
            f"not '{audio.language}'"
        )
        raise UnsupportedError(message)


def _as_other_parts(engine: Engine, audio: Audio, heard: str | None) -> Audio:
    """Have a part heard in the language that another part was, if the engine knows that."""
    if audio.language or not heard:
        return audio
    guess = Audio(audio.samples, heard)
    return guess if not engine.languages or guess.primary_language in engine.languages else audio


def _language(segments: Iterable[Segment]) -> str | None:
    """Return the language of most of the text, where the engine tells it."""
    lengths: Counter[str] = Counter()
    for segment in segments:
        if segment.language:
            lengths[segment.language] += len(segment.text)
    return lengths.most_common(1)[0][0] if lengths else None
