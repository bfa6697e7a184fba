"""Where each process tells over HTTP whether it is well."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: What a process is called there.
ProcessName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class HealthSettings(BaseModel):
    """Where each process tells over HTTP whether it is well."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    #: The address that `/healthz` and `/readyz` are served at; no password protects them.
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    #: The port of each process that serves them: `coordinator`, `supervisor`, `aggregation`,
    #: `media`, a pool's name; 0 takes a free one, which is logged.
    ports: dict[ProcessName, Annotated[int, Field(ge=0, le=65535)]] = Field(default_factory=dict)
