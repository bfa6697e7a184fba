"""Tells of a change that a command has made: its user, the processes that run."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from coordinator.configuration.versions import check_text
from schemas.configuration_reports import ConfigurationReports, owner_of
from schemas.configuration_tables import ConfigurationEvent
from schemas.database import Database
from schemas.errors import ConfigurationError
from schemas.kept_files import digest_of, keep
from schemas.live_settings import News
from schemas.setting_changes import changes
from schemas.setting_sources import bytes_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from schemas.setting_changes import Change
    from schemas.settings import Settings


@dataclass(frozen=True)
class Told:
    """What a command's user is told."""

    changed: tuple[Change, ...]
    #: Why the ledger was not told; None: it was, or there is no server to tell.
    problem: str | None


def keep_what_is(file: Path) -> None:
    """Keep the file as it is, if it is right and nobody did: there is a way back then."""
    try:
        data = bytes_of(file)
        text = data.decode() if data is not None else ""
        if data is not None:
            check_text(text)
            keep(file, text, "found by a command", owner_of(file))
    except (ConfigurationError, UnicodeDecodeError):
        return


def tell(file: Path, text: str, how: str, before: Settings | None, after: Settings) -> Told:
    """Keep a file that was just written; tell the ledger of it, where that is a server.

    Processes that look at the file see it by themselves within a second or two; those that share
    it over a network that tells of nothing are woken by it.
    """
    found = changes(before, after) if before is not None else ()
    who = getpass.getuser()
    keep(file, text, how, who)
    if after.database_url is None:
        return Told(found, None)
    hot = tuple(change for change in found if change.hot)
    cold = tuple(change for change in found if not change.hot)
    database = Database(after)
    node = after.node.name or socket.gethostname()
    reports = ConfigurationReports(database, node, "command", who)
    reports.hear(News(file.absolute(), digest_of(text), text, changed=hot, waiting=cold))
    try:
        there = reports.send()
    except SQLAlchemyError as error:  # a schema of another version, for instance
        return Told(found, f"the ledger was not told: {str(error).splitlines()[0]}")
    finally:
        database.dispose()
    return Told(found, None if there else "the ledger does not answer, it was not told")


def read_events(session: Session, limit: int) -> list[dict[str, Any]]:
    """Return the newest events of all machines, the newest first."""
    newest = select(ConfigurationEvent).order_by(ConfigurationEvent.id.desc()).limit(limit)
    return [
        {
            "at": event.at.isoformat(),
            "node": event.node,
            "process": event.process,
            "file": event.file,
            "kind": event.kind,
            "who": event.who,
            **event.data,
        }
        for event in session.scalars(newest)
    ]


def in_words(event: dict[str, Any]) -> str:
    """Return an event as a person reads it."""
    lines = [f"{event['at']} {event['node']} {event['kind']} {event['file']}"]
    if event["who"]:
        lines[0] += f" (by {event['who']})"
    if "problem" in event:
        lines.append(f"  {event['problem']}")
    for kind, note in (("changes", ""), ("restart", ", restart needed")):
        lines += [
            f"  {change['key']}: {change['before']} -> {change['after']}{note}"
            for change in event.get(kind, ())
        ]
    return "\n".join(lines)
