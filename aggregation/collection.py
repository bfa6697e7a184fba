"""Keeps Python's cycle collector out of a computation that makes no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_cycle_collection() -> Iterator[None]:
    """Switch the collector off within the block.

    A long recording makes some 10⁶ small objects that all live to the end; looking through them
    again and again for cycles, which they cannot have, cost a quarter of the time (measured on
    3 × 30,000 words).
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
