"""Marks that a setting's declaration carries beside its type."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class In:
    """The setting stands within a table of the file that is not called like it."""

    category: str
