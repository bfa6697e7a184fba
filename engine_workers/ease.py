"""Makes an engine's options need less memory, and says what that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine_workers.engines.base import Engine
    from schemas.base import Contract
    from schemas.retries import Ease


def eased(kind: type[Engine], options: Contract, steps: Iterable[Ease]) -> Contract:
    """Return the options after these steps."""
    for step in steps:
        options = kind.ease(options, step)
    return options


def what_is_eased(kind: type[Engine], before: Contract, steps: Iterable[Ease]) -> dict[str, str]:
    """Return which options the steps change, as `8 → 1` by name; empty: nothing can be eased."""
    after = eased(kind, before, steps)
    return {
        name: f"{getattr(before, name)} → {value}"
        for name, value in after
        if value != getattr(before, name)
    }
