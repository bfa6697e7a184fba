"""What a merge strategy may look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aggregation.align.network import Network
from aggregation.heard import FloatArray, IntArray
from aggregation.merge.features import Features
from aggregation.trust import Trust


@dataclass(frozen=True, slots=True)
class Context:
    """The aligned engines with the evidence about them.

    Attributes:
        network: Who says what where; the columns are ordered by trust.
        trust: The engines' word accuracies.
        sureness: Slots × engines: calibrated log-odds above the engine's mean, 0 unknown.
        evidence: What speaks for each candidate of each disputed slot.
    """

    network: Network
    trust: Trust
    sureness: FloatArray
    evidence: Features


@dataclass(frozen=True, slots=True)
class Choice:
    """What a strategy chose.

    Attributes:
        ids: Per slot, the chosen word's id, or `SILENT`.
        rule: Per slot, the name of the rule that chose, as an index into `rules`.
        rules: The names of the rules.
    """

    ids: IntArray
    rule: IntArray
    rules: tuple[str, ...]


#: A merge strategy: chooses a word or silence for every slot.
Strategy = Callable[[Context], Choice]
