"""Aligns any number of engines' tokens into one confusion network."""

from __future__ import annotations

from aggregation.align.network import ABSTAINS, SILENT, Network
from aggregation.align.progressive import align

__all__ = ["ABSTAINS", "SILENT", "Network", "align"]
