"""The cases of the fault tests, and the clusters that they are run on."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from schemas.settings import LeaseSettings, WorkerSettings
from tests.chaos.cluster import SHORT, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.figures import Figure

#: The product's own figures, which the full cases wait for.
LONG = LeaseSettings()


class UnfitMachineError(Exception):
    """This machine lacks something that the case needs."""


@dataclass(frozen=True)
class Case:
    """One row of the table of faults."""

    name: str
    #: What is done, for the table.
    row: str
    run: Callable[[Lab], list[Figure]]
    #: Whether its small form is run by the tests.
    quick: bool


#: What `./run chaos --quick` runs where it is given no names: in a minute, one of each kind.
REPRESENTATIVE = (
    "kill-worker",
    "pop-unacked",
    "kill-coordinator",
    "broker-flush",
    "postgres-restart",
)
#: All of them, by name; `tests.chaos.cases` fills it.
CASES: dict[str, Case] = {}


def case(
    name: str, row: str, *, quick: bool = True
) -> Callable[[Callable[[Lab], list[Figure]]], Callable[[Lab], list[Figure]]]:
    """Add a function to the cases; it raises AssertionError where a promise is broken."""

    def add(function: Callable[[Lab], list[Figure]]) -> Callable[[Lab], list[Figure]]:
        CASES[name] = Case(name, row, function, quick)
        return function

    return add


class Lab:
    """Where cases get their clusters; use it as a context manager."""

    def __init__(self, *, quick: bool) -> None:
        """Prepare; `quick` asks for small cases with short leases."""
        self.quick = quick
        self._exit = ExitStack()
        self._shared: Cluster | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every cluster."""
        self._exit.close()

    def size(self, quick: int, full: int) -> int:
        """Return one of the two, by what was asked for."""
        return quick if self.quick else full

    @contextmanager
    def cluster(self, **more: Any) -> Iterator[Cluster]:  # noqa: ANN401  # the cluster's arguments
        """Run a cluster for one case alone; no role runs yet."""
        given = {"leases": SHORT if self.quick else LONG, "more_settings": self._settings(), **more}
        folder = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp")).resolve()
        folder.chmod(0o711)
        try:
            with Cluster(folder, **given) as made:
                yield made
        finally:
            shutil.rmtree(folder)

    def shared(self) -> Cluster:
        """Return the cluster of the cases that leave it as they found it, its roles running."""
        if self._shared is None:
            self._shared = self._exit.enter_context(self.cluster())
        found = self._shared
        found.tidy()
        found.start_roles()
        return found

    def give_up_shared(self) -> None:
        """Let the next case have a new one: the last one left it in a state unknown."""
        self._exit.close()
        self._shared = None

    def _settings(self) -> dict[str, object]:
        return {"worker": WorkerSettings(shutdown_seconds=2.0 if self.quick else 10.0)}
