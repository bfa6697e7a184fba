"""Reads how the machines are: heard of, on time, with their graphics cards, with free disks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import Float, cast, func, select

from coordinator.alerts.facts import CARD, facts, forget, note
from coordinator.alerts.readings import labels
from schemas.folders import used_share
from schemas.node_tables import Node

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.orm import Session

    from coordinator.alerts.readers.scene import Scene
    from coordinator.alerts.readings import Readings

#: Seconds after which what a node told of itself says nothing of now.
FRESH_SECONDS = 60.0
#: Seconds after which a node, or a card, that is gone counts as taken away.
FORGOTTEN_SECONDS = 86_400.0

SILENT = cast(func.extract("epoch", func.now() - Node.seen_at), Float)


def read_nodes(scene: Scene, readings: Readings) -> None:
    """Read for how long each supervisor has been silent, how its clock and its disk are."""
    rows = scene.session.execute(
        select(Node.name, Node.clock_skew, Node.disk_used, SILENT.label("silent")).where(
            Node.state != "stopped"
        )
    ).all()
    readings.put(
        "node_silent_seconds",
        {labels(node=row.name): row.silent for row in rows if row.silent < FORGOTTEN_SECONDS},
    )
    fresh = [row for row in rows if row.silent < FRESH_SECONDS]
    skews = {labels(node=row.name): row.clock_skew for row in fresh if row.clock_skew is not None}
    own = {labels(node=scene.node): own_skew(scene.session)}
    readings.put("clock_skew_seconds", {of: abs(value) for of, value in {**own, **skews}.items()})
    disks = {
        labels(node=row.name, folder="media"): row.disk_used
        for row in fresh
        if row.disk_used is not None
    }
    readings.put("disk_used_share", {**disks, **own_disks(scene)})


def own_skew(session: Session) -> float:
    """Return the seconds that this machine's clock is ahead of the database's."""
    before = time.time()
    theirs = session.scalar(select(func.extract("epoch", func.clock_timestamp())))
    return (before + time.time()) / 2 - float(theirs or 0.0)


def own_disks(scene: Scene) -> dict[tuple[tuple[str, str], ...], float]:
    """Return how full the disks of this machine are that we write to."""
    found = {}
    for name, folder in (
        ("media", scene.settings.media_root),
        ("data", scene.settings.data_dir),
    ):
        share = used_share(folder)
        if share is not None:
            found[labels(node=scene.node, folder=name)] = share
    return found


def learn_cards(session: Session) -> None:
    """Remember the graphics cards that nodes tell of; forget those that are long gone."""
    forget(session, CARD, FORGOTTEN_SECONDS)
    for name, device in _told(session):
        about = {"node": name, "device": device["device"], "uuid": device["uuid"]}
        note(session, CARD, f"{name}/{device['uuid']}", about)


def read_cards(scene: Scene, readings: Readings) -> None:
    """Read how warm the cards are, and which are gone from a node that is there."""
    told = _told(scene.session)
    readings.put(
        "gpu_celsius",
        {
            labels(node=name, device=device["device"]): float(device["temperature"])
            for name, device in told
            if device.get("temperature") is not None
        },
    )
    there = {(name, device["uuid"]) for name, device in told}
    live = set(scene.session.scalars(_fresh(Node.name)))
    readings.put(
        "gpu_lost",
        {
            labels(node=card["node"], device=card["device"]): float(
                (card["node"], card["uuid"]) not in there
            )
            for card in facts(scene.session, CARD).values()
            if card["node"] in live
        },
    )


def _told(session: Session) -> list[tuple[str, dict[str, Any]]]:
    rows = session.execute(_fresh(Node.name, Node.devices)).all()
    return [(name, device) for name, devices in rows for device in devices]


def _fresh(*columns: Any) -> Any:  # noqa: ANN401  # columns, a statement
    recent = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, FRESH_SECONDS)
    return select(*columns).where(Node.state != "stopped", Node.seen_at > recent)
