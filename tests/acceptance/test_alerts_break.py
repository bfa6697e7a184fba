"""What each default alert watches is broken: it fires, arrives, ends once that is mended."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, func, select, update

from coordinator.alerts.readers.agreement import LEAST_REPORTS
from coordinator.submit import accept, job_request
from coordinator.sweep import SWEEP_LOCK
from schemas.alert_rules import DEFAULT_RULES
from schemas.audio import AudioRef
from schemas.node_tables import Node
from schemas.tables import EngineRun, Job
from tests.acceptance.node_lab import NodeLab, Supervised, node_lab
from tests.integration.engine_rows import until
from tests.integration.receivers import Hook, web_server
from tests.integration.test_alert_readers import ago, reports
from tests.integration.test_nodes import report
from tests.unit.test_health import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")
PATIENCE_SECONDS = 40.0
#: Seconds that the windows of failures, of dead leases and of memory last.
WINDOW, GROWTH_WINDOW = 3.0, 4.0
#: The default rules, for whom time passes quickly.
SECONDS = {
    "queue_not_moving": 1.0,
    "engine_without_worker": 1.0,
    "sweeper_silent": 2.0,
    "broker_silent": 1.0,
    "node_silent": 60.0,
}
#: What has nodes tell of themselves often.
QUICK = {
    "CHORDSCRIBE_SCHEDULING__PRESENCE_SECONDS": "0.5",
    "CHORDSCRIBE_NODE__REPORT_SECONDS": "0.3",
}
RULES = {
    name: {"for_seconds": 0.3 if rule.for_seconds else 0.0, "clear_seconds": 0.3}
    | ({"threshold": SECONDS[name]} if name in SECONDS else {})
    for name, rule in DEFAULT_RULES.items()
}


@dataclass
class World:
    """A coordinator that watches, a receiver of what it tells, servers to break."""

    lab: NodeLab
    hook: Hook
    #: A folder on a small disk of its own; None where none can be mounted.
    small: Path | None
    #: Where each process tells whether it is well.
    ports: dict[str, int]
    told: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def until_told(self, rule: str, news: str, **labels: str) -> None:
        """Wait until the receiver has got a message about a rule."""
        wanted, deadline = (rule, news), time.monotonic() + PATIENCE_SECONDS
        while not any(it[:2] == wanted and labels.items() <= it[2].items() for it in self.told):
            try:
                got = self.hook.got.get(timeout=deadline - time.monotonic())
            except (queue.Empty, ValueError):
                message = f"nobody was told of {rule} that it is {news}: {self.told}"
                raise AssertionError(message) from None
            body = json.loads(got[2])
            self.told.append((body["rule"], body["news"], body["labels"]))

    def until_over(self, rule: str, **labels: str) -> None:
        """Wait until the end of an alert has arrived, then forget what was told."""
        self.until_told(rule, "resolved", **labels)
        self.told.clear()

    def submit(self) -> None:
        """Have a job wait for the engine `fake`."""
        with self.lab.database.transaction() as session:
            accept(session, job_request(["fake"]), AUDIO)

    def change(self, table: Any, **values: object) -> None:  # noqa: ANN401
        """Change all rows of a table."""
        with self.lab.database.transaction() as session:
            session.execute(update(table).values(**values))

    def forget_jobs(self) -> None:
        """Leave no job."""
        with self.lab.database.transaction() as session:
            session.execute(delete(Job))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a disk of a megabyte, where that is allowed."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        yield None
        return
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "none", folder], check=False)
    if made.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Run a coordinator that looks five times a second."""
    with node_lab() as lab, web_server() as hook, small_disk(lab.folder / "small") as small:
        ports = {name: free_port() for name in ("coordinator", "supervisor", "fake", "aggregation")}
        env = lab.env(
            CHORDSCRIBE_ALERTS__EVERY_SECONDS="0.2",
            CHORDSCRIBE_ALERTS__WINDOW_SECONDS=str(WINDOW),
            CHORDSCRIBE_ALERTS__GROWTH_SECONDS=str(GROWTH_WINDOW),
            CHORDSCRIBE_ALERTS__RETRY_SECONDS="0.2",
            CHORDSCRIBE_ALERTS__WEBHOOK__URL=f"{hook.address}/in",
            CHORDSCRIBE_ALERTS__RULES=json.dumps(RULES),
            CHORDSCRIBE_LEASES__SWEEP_SECONDS="0.3",
            CHORDSCRIBE_SCHEDULING__PRESENCE_SECONDS="0.5",
            CHORDSCRIBE_MEDIA_DIR=str(small or lab.settings.media_root),
            CHORDSCRIBE_NODE__NAME="coordinators",
            CHORDSCRIBE_HEALTH__PORTS=json.dumps(ports),
        )
        with (lab.folder / "coordinator.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "coordinator.service"], env=env, stdout=log, stderr=log
            )
        try:
            yield World(lab, hook, small, ports)
        except BaseException:
            print((lab.folder / "coordinator.log").read_text()[-8000:])  # noqa: T201
            raise
        finally:
            process.terminate()
            process.wait()


@pytest.fixture(autouse=True)
def _nothing_before(world: World) -> Iterator[None]:
    """Let each test begin without jobs, nodes, messages."""
    yield
    world.forget_jobs()
    with world.lab.database.transaction() as session:
        session.execute(update(Node).where(Node.name != "live").values(state="stopped"))
    world.told.clear()


def test_a_small_disk_is_filled(world: World) -> None:
    if world.small is None:
        pytest.skip("only root may mount a small disk")
    file = world.small / "much"
    file.write_bytes(bytes(980_000))
    world.until_told("disk_full", "firing", folder="media", node="coordinators")
    file.unlink()
    world.until_over("disk_full", folder="media", node="coordinators")


def test_the_brokers_memory_runs_short(world: World) -> None:
    with world.lab.servers.redis() as broker:
        broker.config_set("maxmemory", int(broker.info("memory")["used_memory"] * 1.02))
        try:
            world.until_told("broker_memory", "firing")
        finally:
            broker.config_set("maxmemory", 0)
        world.until_over("broker_memory")


def test_no_coordinator_comes_to_sweep(world: World) -> None:
    with world.lab.database.transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(SWEEP_LOCK)))
        world.until_told("sweeper_silent", "firing")
    world.until_over("sweeper_silent")


def test_workers_die_amid_their_runs(world: World) -> None:
    for _ in range(3):
        world.submit()
    world.change(EngineRun, state="running", owner="w:1", attempt=1, lease_expires_at=ago(1))
    world.until_told("dead_leases", "firing", engine="fake")
    world.until_over("dead_leases", engine="fake")


def test_an_engine_fails_often(world: World) -> None:
    for _ in range(10):
        world.submit()
    world.change(EngineRun, state="failed", place=None, due_at=None, finished_at=func.now())
    world.until_told("failure_rate", "firing", engine="fake")
    world.until_over("failure_rate", engine="fake")


def test_an_engine_hears_nonsense(world: World) -> None:
    reports(world.lab.database, LEAST_REPORTS, 0.9, ago_seconds=60)
    reports(world.lab.database, 20, 0.2, ago_seconds=50)
    world.until_told("agreement_drop", "firing", engine="fake")
    reports(world.lab.database, 60, 0.9, ago_seconds=40)
    world.until_over("agreement_drop", engine="fake")


def test_a_graphics_card_gets_hot_then_is_gone(world: World) -> None:
    report(world.lab.database, "cards")
    card = {"node": "cards", "device": "cuda:0"}
    with world.lab.database.reading() as session:
        (told,) = session.scalars(select(Node.devices).where(Node.name == "cards"))
    hot = [{**device, "temperature": 95} for device in told]
    world.change(Node, devices=hot, seen_at=func.now())
    world.until_told("gpu_hot", "firing", **card)
    world.change(Node, devices=told, seen_at=func.now())
    world.until_over("gpu_hot", **card)
    world.change(Node, devices=[], seen_at=func.now())
    world.until_told("gpu_lost", "firing", **card)
    world.change(Node, devices=told, seen_at=func.now())
    world.until_over("gpu_lost", **card)


def test_a_machines_clock_is_off_then_the_machine_falls_silent(world: World) -> None:
    report(world.lab.database, "box")
    world.change(Node, clock_skew=9.0)
    world.until_told("clock_skew", "firing", node="box")
    world.change(Node, clock_skew=0.0, seen_at=func.now())
    world.until_over("clock_skew", node="box")
    world.change(Node, seen_at=ago(90))
    world.until_told("node_silent", "firing", node="box")
    world.change(Node, seen_at=func.now())
    world.until_over("node_silent", node="box")


@pytest.fixture(scope="module")
def node(world: World) -> Iterator[Supervised]:
    """Run a node that serves the engine `fake`."""
    ports = {"CHORDSCRIBE_HEALTH__PORTS": json.dumps(world.ports)}
    with world.lab.node("live", {"fake": {}}, **QUICK, **ports) as found:
        found.until("running")
        yield found


def test_an_engines_last_pool_is_killed(world: World, request: pytest.FixtureRequest) -> None:
    with world.lab.node("killed", {"fake": {}}, **QUICK) as killed:
        killed.until("running")
        killed.process.kill()
        for process in killed.left():
            process.kill()
    world.submit()
    world.until_told("engine_without_worker", "firing", engine="fake")
    request.getfixturevalue("node")
    world.until_over("engine_without_worker", engine="fake")


#: Its program, its app, its name, its queue, the seconds that it waits.
WORKER = ("coordinator.celery_worker", "aggregation.app", "aggregation", "aggregation", "0")


def well(world: World, *processes: str) -> bool:
    """Whether all of these say that they can work."""
    try:
        answers = [ask(world.ports[name], "/readyz") for name in processes]
    except OSError:
        return False
    return all(status == 200 and body["ok"] for status, body in answers)


def until_unready(port: int) -> None:
    """Wait until a process says that it cannot work, though to start it again would not help."""
    until(lambda: ask(port, "/readyz")[0] == 503)
    assert ask(port, "/healthz")[0] == 200


def test_every_process_tells_whether_it_gets_on(world: World, node: Supervised) -> None:
    until(lambda: well(world, "coordinator", "supervisor", "fake"))
    broker = world.lab.servers.broker
    broker.stop(signal.SIGKILL)
    try:
        until_unready(world.ports["coordinator"])
        until_unready(world.ports["fake"])
    finally:
        broker.start()
    until(lambda: well(world, "coordinator", "supervisor", "fake"))


def test_an_aggregation_worker_tells_whether_it_gets_on(world: World) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", *WORKER],
        env=world.lab.env(CHORDSCRIBE_HEALTH__PORTS=json.dumps(world.ports)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: well(world, "aggregation"))
    finally:
        process.terminate()
        process.wait()


def test_the_broker_hangs(world: World, node: Supervised) -> None:
    broker = world.lab.servers.broker.process
    assert broker is not None
    broker.send_signal(signal.SIGSTOP)
    try:
        world.submit()
        world.until_told("broker_silent", "firing")
        world.until_told("queue_not_moving", "firing", engine="fake")
        world.until_told("sweeper_silent", "firing")
    finally:
        broker.send_signal(signal.SIGCONT)
    world.until_told("broker_silent", "resolved")
    world.until_told("sweeper_silent", "resolved")
    world.forget_jobs()  # the worker takes a while until it asks the broker again
    world.until_over("queue_not_moving", engine="fake")


def test_an_engine_leaks_memory(world: World, node: Supervised) -> None:
    world.lab.send(seconds_per_segment=0.01, delay_seconds=0.15, leak_bytes=2**20)
    world.until_told("memory_growth", "firing", node="live", pool="fake")
    os.kill(node.pool().pid or 0, signal.SIGKILL)  # the supervisor starts it again
    world.until_over("memory_growth", node="live", pool="fake")
