"""How far an engine has come in a job, all its chunks together."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Contract
from schemas.runs import RunState


class EngineProgress(Contract):
    """One engine's part of a job."""

    engine: str
    #: `succeeded` when it heard at least one chunk and nothing more will come.
    state: RunState
    #: Chunks in all, those that have ended, those of them that were not heard.
    chunks: int
    ended_chunks: int = 0
    missing_chunks: int = 0
    #: Seconds of the recording that it has heard.
    done_seconds: Annotated[float, Field(ge=0)] = 0.0
    #: Seconds that it has to hear; None before that is known.
    seconds: Annotated[float, Field(ge=0)] | None = None
    #: Seconds until it will have ended, waiting in line left out; None where it is not known.
    eta_seconds: Annotated[float, Field(ge=0)] | None = None
