"""Finds out whether the system as a whole gets on; starts nothing, changes nothing."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from sqlalchemy import select

from coordinator.alerts.facts import SWEPT, age
from coordinator.alerts.looking import read_alerts
from coordinator.alerts.readers.broker import ask_memory, memory_share
from coordinator.alerts.readers.nodes import FORGOTTEN_SECONDS, FRESH_SECONDS, SILENT
from coordinator.alerts.states import AlertState
from coordinator.client import Client
from coordinator.doctor import Check, Level
from coordinator.local.paths import stack_paths
from coordinator.outages import read_outages
from schemas.errors import ChordscribeError
from schemas.node_tables import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from schemas.settings import Settings

#: Sweeps that may be missed until no coordinator counts as working.
MISSED = 3
#: Seconds that a sweep may take.
SWEEP_SECONDS = 30.0
#: Seconds to wait for the stack's supervisor.
ANSWER_SECONDS = 2.0


def check_health(settings: Settings) -> list[Check]:
    """Return what was looked at; what cannot be asked is a failed check."""
    if settings.database_url is None and not stack_runs(settings):
        message = f"no stack runs on {settings.data_dir}: `chordscribe up` starts one"
        return [Check(name="stack", level=Level.FAILED, message=message)]
    try:
        with Client(settings, work=False) as client:
            found = [
                Check(name="ledger", level=Level.OK, message="it answers, with our schema"),
                _broker(client.settings),
            ]
            with client.database.reading() as session:
                found += _working(session, client.settings)
            return found
    except ChordscribeError as error:
        return [Check(name="ledger", level=Level.FAILED, message=str(error))]


def stack_runs(settings: Settings) -> bool:
    """Return whether an embedded stack runs on the data directory."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_SECONDS)
        try:
            probe.connect(str(stack_paths(settings.data_dir).control))
        except OSError:
            return False
        return True


def _broker(settings: Settings) -> Check:
    if settings.broker_url is None:
        message = "none runs: it is started with the first job"
        return Check(name="broker", level=Level.WARNING, message=message)
    memory = ask_memory(settings)
    if memory is None:
        return Check(name="broker", level=Level.FAILED, message="it does not answer")
    message = f"it answers; {memory_share(memory):.0%} of its memory is used"
    return Check(name="broker", level=Level.OK, message=message)


def _working(session: Session, settings: Settings) -> Iterator[Check]:
    """Yield whether there is somebody to work, and what is known to be wrong."""
    yield _coordinator(session, settings)
    for outage in read_outages(session):
        message = f"{outage.waiting} runs wait: {outage.reason}"
        yield Check(name=f"engine {outage.engine}", level=Level.FAILED, message=message)
    rows = session.execute(
        select(Node.name, SILENT.label("silent")).where(Node.state != "stopped")
    ).all()
    for row in rows:
        if FRESH_SECONDS < row.silent < FORGOTTEN_SECONDS:
            message = f"its supervisor has been silent for {row.silent:.0f} s"
            yield Check(name=f"node {row.name}", level=Level.WARNING, message=message)
    for alert in read_alerts(session):
        if alert.state is AlertState.FIRING:
            level = Level.FAILED if alert.severity == "critical" else Level.WARNING
            level = Level.OK if alert.severity == "info" else level
            yield Check(name=f"alert {alert.rule}", level=level, message=alert.summary)


def _coordinator(session: Session, settings: Settings) -> Check:
    seconds = age(session, SWEPT)
    limit = MISSED * settings.leases.sweep_seconds + SWEEP_SECONDS
    if seconds is None:
        message, level = "none has ever swept", Level.FAILED
    else:
        message = f"the last sweep was {seconds:.0f} s ago"
        level = Level.FAILED if seconds > limit else Level.OK
    return Check(name="coordinator", level=level, message=message)
