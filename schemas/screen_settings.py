"""How what people look at is reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class FlowerSettings(BaseModel):
    """How Flower, the web page of the tasks, is reached."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = "chordscribe"
    #: None: one is generated and shown at each start.
    password: SecretStr | None = None
    #: On 127.0.0.1; 0 takes a free one.
    port: Annotated[int, Field(ge=0, le=65535)] = 5555
