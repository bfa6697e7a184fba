"""Follows a batch while its user watches a bar."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from coordinator.cli.terminal import err
from coordinator.errors import WaitTimeoutError
from schemas.names import CHANNEL_JOBS

if TYPE_CHECKING:
    from uuid import UUID

    from coordinator.client import Client
    from schemas.batches import BatchView

#: Seconds between two looks at a batch in which much happens, and in which nothing does.
BUSY_SECONDS, QUIET_SECONDS = 0.5, 10.0


def follow_batch(client: Client, batch_id: UUID, timeout: float | None = None) -> BatchView:
    """Return the batch once all its jobs have ended; woken by NOTIFY, it counts twice a second.

    Raises:
        BatchNotFoundError: there is none of that id.
        WaitTimeoutError: `timeout` seconds passed; the jobs go on.
        LedgerError: the database does not answer.
    """
    until = None if timeout is None else time.monotonic() + timeout
    console = err()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(
            *columns,
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bar,
        client.database.listen(CHANNEL_JOBS) as connection,
    ):
        task = bar.add_task("batch")
        while True:
            view = client.batch(batch_id)
            bar.update(task, total=view.total, completed=view.ended)
            if view.ended == view.total:
                return view
            left = QUIET_SECONDS if until is None else min(QUIET_SECONDS, until - time.monotonic())
            if left <= 0:
                raise WaitTimeoutError
            woken = list(connection.notifies(timeout=left, stop_after=1))
            # What else happens meanwhile is told by the same look.
            for _ in connection.notifies(timeout=min(BUSY_SECONDS, left)) if woken else ():
                pass
