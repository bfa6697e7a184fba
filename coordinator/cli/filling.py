"""Fills a batch while its user watches a bar."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coordinator.cli.submit import PARTLY, say_if_idle
from coordinator.cli.terminal import err, out, print_json
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from coordinator.batches.filling import Step
    from coordinator.batches.wanted import Order
    from coordinator.client import Client

#: Refused recordings that are told of one by one; the others are counted.
MAX_TOLD = 1000


@dataclass(slots=True)
class Tally:
    """What has become of an order so far."""

    #: The new jobs with their sources; kept for `--json` alone.
    jobs: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    accepted: int = 0
    known: int = 0
    failed: int = 0

    def add(self, step: Step, *, keep: bool) -> None:
        """Count a step."""
        self.accepted += len(step.accepted)
        self.known += step.known
        self.failed += len(step.refused)
        if keep:
            self.jobs += [{"id": str(job), "source": source} for job, source in step.accepted]
        for source, error in step.refused[: max(0, MAX_TOLD - len(self.refused))]:
            self.refused.append({"source": source, "error": error})
            err().print(f"chordscribe: {error}", markup=False)


def fill_batch(client: Client, order: Order, *, as_json: bool) -> int:
    """Submit what the order's batch does not have; return the exit code.

    Raises:
        UsageError: the order is wrong; nothing of it was submitted.
        KeyboardInterrupt: the user has; what was submitted stays.
    """
    total = order.count()  # checks the manifest to its end before anything is submitted
    batch_id, _ = client.open_batch(order)
    tally = Tally()
    try:
        with _bar(total) as advance:
            for step in client.fill(batch_id, order):
                tally.add(step, keep=as_json)
                advance(len(step.accepted) + step.known + len(step.refused))
    except KeyboardInterrupt:
        err().print(
            f"stopped: {tally.accepted} of {total} are submitted to batch {batch_id}, "
            f"{tally.known} were before; the same command goes on",
            markup=False,
        )
        raise
    _show(batch_id, tally, as_json=as_json)
    say_if_idle(client, tally.accepted)
    if tally.failed:
        return PARTLY if tally.accepted or tally.known else UsageError.exit_code
    return 0


def _show(batch_id: UUID, tally: Tally, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "batch": str(batch_id),
                "jobs": list[object](tally.jobs),
                "accepted": tally.accepted,
                "known": tally.known,
                "refused": list[object](tally.refused),
            }
        )
        return
    out().print(str(batch_id))
    before = f", {tally.known} were before" if tally.known else ""
    refused = f", {tally.failed} refused" if tally.failed else ""
    err().print(f"{tally.accepted} submitted{before}{refused}", markup=False)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show how far it has come, on a terminal."""
    columns = (
        TextColumn("submitting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = err()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)
