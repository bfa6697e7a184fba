"""One measured number with what it should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number that a benchmark measured."""

    name: str
    value: float
    #: As printed behind the value: `s`, `MiB`, `×`, `%`, or empty.
    unit: str
    #: The bound in words, such as `≤ 1.15`; None where the number only informs.
    target: str | None = None
    #: Whether the bound holds; None where there is none.
    met: bool | None = None


def informs(name: str, value: float, unit: str = "") -> Figure:
    """Return a number without a bound."""
    return Figure(name, value, unit)


def at_most(name: str, value: float, bound: float, unit: str = "") -> Figure:
    """Return a number that should not exceed `bound`."""
    return Figure(name, value, unit, f"≤ {bound:g}", value <= bound)


def at_least(name: str, value: float, bound: float, unit: str = "") -> Figure:
    """Return a number that should not fall below `bound`."""
    return Figure(name, value, unit, f"≥ {bound:g}", value >= bound)
