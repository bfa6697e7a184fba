"""Marks that a setting's declaration carries beside its type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Hot:
    """A change of the setting, or of all that it holds, takes effect in processes that run."""


@dataclass(frozen=True)
class Cold:
    """A change takes effect when the process starts again, whatever holds the setting."""


@dataclass(frozen=True)
class In:
    """The setting stands within a table of the file that is not called like it."""

    category: str


HOT: Final = Hot()
COLD: Final = Cold()
