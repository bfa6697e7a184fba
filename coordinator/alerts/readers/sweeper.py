"""Reads when a coordinator swept last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.alerts.facts import SWEPT, age
from coordinator.alerts.readings import ALONE

if TYPE_CHECKING:
    from coordinator.alerts.readers.scene import Scene
    from coordinator.alerts.readings import Readings


def read_sweeper(scene: Scene, readings: Readings) -> None:
    """Read for how long none has swept; nothing where none ever did."""
    seconds = age(scene.session, SWEPT)
    readings.put("sweeper_silent_seconds", {} if seconds is None else {ALONE: seconds})
