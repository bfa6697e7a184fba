"""Submits what arrives in a folder until its user has enough."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from coordinator.batches.inbox import Inbox
from coordinator.cli.terminal import err, out
from coordinator.errors import StagingError
from coordinator.sources.shown import printable
from schemas.errors import LedgerError

if TYPE_CHECKING:
    from uuid import UUID

    from coordinator.batches.filling import Step
    from coordinator.batches.wanted import Order
    from coordinator.client import Client


def watch_inbox(client: Client, order: Order, settle_seconds: float, *, as_json: bool) -> None:
    """Submit each file of the order's folder once it is whole; end with the process.

    A ledger or a media store that is away is tried again: no file is lost.

    Raises:
        UsageError: the folder is gone, or the order is wrong.
        KeyboardInterrupt: the user has enough; what was submitted stays.
    """
    folder = order.watched
    inbox = Inbox(folder, order.folders, settle_seconds)
    batch_id, _ = client.open_batch(order)
    _say({"batch": str(batch_id)}, str(batch_id), as_json=as_json)
    err().print(f"watching {printable(str(folder))}; Ctrl-C ends it", markup=False)
    last = ""
    for paths in inbox.ready():
        try:
            _submit(client, batch_id, order, paths, as_json=as_json)
        except (LedgerError, StagingError) as error:
            inbox.put_off(paths)
            if str(error) != last:
                err().print(f"chordscribe: {error}; it is tried again", markup=False)
            last = str(error)
        else:
            inbox.took(paths)
            last = ""


def _submit(
    client: Client, batch_id: UUID, order: Order, paths: list[str], *, as_json: bool
) -> None:
    for step in client.fill(batch_id, replace(order, sources=paths, whole=True), by_bytes=True):
        _tell(step, as_json=as_json)


def _tell(step: Step, *, as_json: bool) -> None:
    for job, source in step.accepted:
        _say({"job": str(job), "source": source}, f"{job}  {source}", as_json=as_json)
    for source, error in step.refused:
        if as_json:
            _say({"source": source, "error": error}, "", as_json=True)
        err().print(f"chordscribe: {error}", markup=False)


def _say(values: dict[str, str], line: str, *, as_json: bool) -> None:
    """Print a line at once: who reads it may wait for it."""
    text = json.dumps(values, ensure_ascii=False) if as_json else line
    out().print(text, markup=False, soft_wrap=True)
    out().file.flush()
