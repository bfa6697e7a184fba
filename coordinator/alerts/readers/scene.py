"""What the readers of metrics are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from schemas.settings import Settings


@dataclass(frozen=True)
class Scene:
    """The moment that is looked at."""

    #: For questions alone.
    session: Session
    settings: Settings
    #: What this machine is called.
    node: str
