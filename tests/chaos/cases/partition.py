"""A worker that is cut off from the broker, or from the database, without either dying."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.local.postgres import NAME, PORT
from schemas.jobs import JobState
from tests.benchmarks.figures import at_least, at_most, informs
from tests.chaos import invariants
from tests.chaos.lab import Lab, UnfitMachineError, case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.figures import Figure
    from tests.chaos.cluster import Cluster

#: Seconds that a test waits.
PATIENCE_SECONDS = 300
#: The broker's port within the test's network.
BROKER_PORT = 6390


@dataclass(frozen=True)
class Cable:
    """One of the two cables between the worker's network and ours."""

    name: str
    #: Our end's and the worker's end's address, in a network of 4.
    ours: str
    theirs: str

    def pull(self) -> None:
        """Cut it at our end: what the worker sends from now on is lost without a word."""
        _ip("link", "set", self.name, "down")

    def plug(self) -> None:
        """Mend it."""
        _ip("link", "set", self.name, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: S607


@contextmanager
def network() -> Iterator[tuple[str, Cable, Cable]]:
    """Make a network name space with a cable to the broker and one to the database.

    Raises:
        UnfitMachineError: this user or machine has no name spaces.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        message = "network name spaces need root and `ip` (Debian: apt install iproute2)"
        raise UnfitMachineError(message)
    mark = os.getpid() % 10_000
    space = f"chaos{mark}"
    cables = (
        Cable(f"cb{mark}", "10.213.77.1", "10.213.77.2"),
        Cable(f"cd{mark}", "10.213.77.5", "10.213.77.6"),
    )
    try:
        _ip("netns", "add", space)
    except subprocess.CalledProcessError as error:
        message = f"no network name space can be made here: {error.stderr!r}"
        raise UnfitMachineError(message) from error
    try:
        for cable in cables:
            far = f"{cable.name}x"
            _ip("link", "add", cable.name, "type", "veth", "peer", "name", far, "netns", space)
            _ip("addr", "add", f"{cable.ours}/30", "dev", cable.name)
            _ip("link", "set", cable.name, "up")
            _ip("-n", space, "addr", "add", f"{cable.theirs}/30", "dev", far)
            _ip("-n", space, "link", "set", far, "up")
        _ip("-n", space, "link", "set", "lo", "up")
        yield space, *cables
    finally:
        _ip("netns", "del", space)


@case("partition-broker", "Partition between a worker and the broker", quick=False)
def partition_broker(lab: Lab) -> list[Figure]:
    """Pull the broker's cable amid a run."""
    return [figure for seconds in _durations(lab) for figure in _partition(lab, "broker", seconds)]


@case("partition-postgres", "Partition between a worker and Postgres", quick=False)
def partition_postgres(lab: Lab) -> list[Figure]:
    """Pull the database's cable amid a run."""
    return [figure for seconds in _durations(lab) for figure in _partition(lab, "ledger", seconds)]


def _durations(lab: Lab) -> tuple[int, ...]:
    return (6,) if lab.quick else (10, 60)


def _partition(lab: Lab, which: str, seconds: int) -> list[Figure]:
    with (
        network() as (space, broker, ledger),
        lab.cluster(
            broker_options=(
                "--port",
                str(BROKER_PORT),
                "--bind",
                broker.ours,
                "--protected-mode",
                "no",
            ),
            postgres_options={"listen_addresses": ledger.ours},
        ) as cluster,
    ):
        _cut_off(cluster, space, broker, ledger)
        (job,) = cluster.submit(
            1, ["fake"], audio=cluster.recording(3.0, 3), paused=True, seconds_per_segment=1.0
        )
        cluster.points.arm("before_save", "wait", job)
        cluster.resume([job])
        held = cluster.points.heard(60)
        cable = broker if which == "broker" else ledger
        cable.pull()
        # Meanwhile a second worker, which is not cut off, takes what the first one has lost.
        cluster.engine("fake", "near")
        threading.Event().wait(seconds)
        cable.plug()
        cluster.points.release(held.pid)
        took = cluster.wait([job], PATIENCE_SECONDS)
        (probe,) = cluster.submit(1, ["fake"])
        cluster.wait([probe], PATIENCE_SECONDS)
        kinds = [event.kind for event in cluster.events(job)]
        done = cluster.view(job).state is JobState.COMPLETED
        invariants.check(cluster, [job, probe])
        return [
            at_least(f"completed, {which} away {seconds} s", int(done), 1),
            at_most("saves of the run", kinds.count("run_succeeded"), 1),
            informs("rescues", kinds.count("run_rescued")),
            informs("ended after the cable was mended", took, "s"),
        ]


def _cut_off(cluster: Cluster, space: str, broker: Cable, ledger: Cable) -> None:
    """Start the roles, the engine's worker in the other network."""
    cluster.coordinator()
    cluster.aggregation()
    cluster.engine(
        "fake",
        "far",
        prefix=("ip", "netns", "exec", space),
        CHORDSCRIBE_BROKER_URL=f"redis://{broker.ours}:{BROKER_PORT}/0",
        CHORDSCRIBE_DATABASE_URL=f"postgresql+psycopg://{NAME}@{ledger.ours}:{PORT}/{NAME}",
    )
    cluster.ready()
