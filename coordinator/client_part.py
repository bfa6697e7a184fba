"""What each part of a client needs of the whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.local.stack import RunningStack
    from schemas.database import Database
    from schemas.settings import Settings


class ClientPart(ABC):
    """A part of a client; `Client` is the whole."""

    @property
    @abstractmethod
    def database(self) -> Database:
        """The ledger in use."""

    @property
    @abstractmethod
    def stack(self) -> RunningStack:
        """The servers in use."""

    @property
    @abstractmethod
    def settings(self) -> Settings:
        """The settings in force."""
