"""What becomes of a recording before any engine hears it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.audio import Sha256
from schemas.base import Contract

#: What a note on the coordinators' channel begins with that is about a preparation.
NOTE_PREFIX = "media:"


class MediaState(StrEnum):
    """Where the preparation of a recording stands."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class MediaMessage(Contract):
    """What the broker carries to a worker that prepares recordings."""

    sha256: Sha256


class PreparationView(Contract):
    """How far the preparation of a job's recording has come."""

    state: MediaState
    #: How often a worker has begun it.
    attempt: int
    #: Seconds of the recording that are decoded.
    done_seconds: Annotated[float, Field(ge=0)] = 0.0
    #: Its length in seconds; None before it is known.
    seconds: Annotated[float, Field(ge=0)] | None = None


def media_note(sha256: str) -> str:
    """Return what tells the coordinators, on their channel, that a preparation has changed."""
    return f"{NOTE_PREFIX}{sha256}"


def noted_media(payload: str) -> str | None:
    """Return the recording that such a note is about; None for another payload."""
    if not payload.startswith(NOTE_PREFIX):
        return None
    return payload.removeprefix(NOTE_PREFIX)
