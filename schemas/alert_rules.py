"""What an alert rule is, which metrics there are to watch, the rules that hold by default."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Comparison = Literal[">", ">=", "<", "<="]
Severity = Literal["info", "warning", "critical"]

#: The severities, the least first.
SEVERITIES: Final = ("info", "warning", "critical")

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}

#: What can be watched, with the labels in brackets; docs/alerts.md says how it is read.
METRICS: Final[Mapping[str, str]] = {
    "queue_idle_seconds": "seconds for which runs waited and none began or ended (engine)",
    "queue_age_seconds": "seconds that the oldest waiting run has waited (engine)",
    "engine_unserved_seconds": "seconds for which no worker could take what waits (engine)",
    "dead_leases": "runs whose worker died or fell silent, within the window (engine)",
    "failure_share": "share of the runs ended within the window that failed (engine)",
    "agreement_drop": "how far the agreement with other engines fell below the usual (engine)",
    "disk_used_share": "share of a disk that is full (folder, node)",
    "memory_growth_bytes_per_hour": "bytes that a pool's memory grows by, steadily (node, pool)",
    "gpu_celsius": "temperature of a graphics card (node, device)",
    "gpu_lost": "1 where a graphics card that was there is not told of any more (node, device)",
    "node_silent_seconds": "seconds since a node's supervisor was heard of (node)",
    "clock_skew_seconds": "seconds between a machine's clock and the database's (node)",
    "sweeper_silent_seconds": "seconds since a coordinator swept last",
    "broker_silent_seconds": "seconds since the broker answered last",
    "broker_memory_share": "share of its memory limit that the broker uses",
}


@dataclass(frozen=True)
class Rule:
    """When an alert begins, when it is over, how loud it is."""

    metric: str
    comparison: Comparison
    threshold: float
    #: Seconds for which the condition has to hold until the alert fires.
    for_seconds: float = 0.0
    #: What the value has to come back to until the alert can be over; None: the threshold.
    clear_threshold: float | None = None
    #: Seconds for which it has to stay there.
    clear_seconds: float = 60.0
    severity: Severity = "warning"
    #: Whether nobody is told of it, though it is watched.
    silenced: bool = False
    enabled: bool = True

    def holds(self, value: float) -> bool:
        """Whether a value is beyond the threshold."""
        return _COMPARE[self.comparison](value, self.threshold)

    def cleared(self, value: float) -> bool:
        """Whether a value is back behind the threshold at which an alert may end."""
        clear = self.threshold if self.clear_threshold is None else self.clear_threshold
        return not self.holds(value) and not _COMPARE[self.comparison](value, clear)

    def problem(self) -> str | None:
        """Return what is wrong with it; None where nothing is."""
        if self.metric not in METRICS:
            return f"there is no metric {self.metric!r}"
        if self.clear_threshold is not None and self.holds(self.clear_threshold):
            return "clear_threshold lies beyond the threshold: the alert would never end"
        return None


#: Mebibytes an hour at which a pool grows too fast: a leak of this size fills 6 GiB in a day.
GROWTH_BYTES: Final = 256.0 * 2**20

DEFAULT_RULES: Final[Mapping[str, Rule]] = {
    "queue_not_moving": Rule("queue_idle_seconds", ">", 240.0, 60.0, severity="critical"),
    "engine_without_worker": Rule("engine_unserved_seconds", ">", 60.0, severity="critical"),
    "dead_leases": Rule("dead_leases", ">=", 3.0),
    "failure_rate": Rule("failure_share", ">", 0.2, 60.0, clear_threshold=0.1),
    "agreement_drop": Rule("agreement_drop", ">", 0.15, clear_threshold=0.1),
    "disk_full": Rule("disk_used_share", ">", 0.9, 30.0, 0.85, severity="critical"),
    "memory_growth": Rule("memory_growth_bytes_per_hour", ">", GROWTH_BYTES),
    "gpu_hot": Rule("gpu_celsius", ">", 85.0, 120.0, 80.0),
    "gpu_lost": Rule("gpu_lost", ">", 0.0, severity="critical"),
    "node_silent": Rule("node_silent_seconds", ">", 60.0),
    "clock_skew": Rule("clock_skew_seconds", ">", 5.0, 60.0, 2.0),
    "sweeper_silent": Rule("sweeper_silent_seconds", ">", 120.0, severity="critical"),
    "broker_silent": Rule("broker_silent_seconds", ">", 30.0, severity="critical"),
    "broker_memory": Rule("broker_memory_share", ">", 0.8, 60.0, 0.7),
}
