"""A pool that dies is healed, one that cannot live is given up aloud, none outlives its node."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from engine_workers.footprint import Loaded, Need, store
from schemas.node_tables import Footprint
from schemas.revision import SCHEMA_REVISION
from schemas.runs import RunState
from tests.acceptance.node_lab import COMMAND_SECONDS, NodeLab, Supervised, node_lab
from tests.integration.engine_rows import data_of_events, until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: One process of the engine `fake`.
FAKE: dict[str, dict[str, object]] = {"fake": {}}


@pytest.fixture(scope="module")
def lab() -> Iterator[NodeLab]:
    """Return servers of this file's own."""
    with node_lab() as found:
        yield found


@pytest.fixture(autouse=True)
def empty_broker(lab: NodeLab) -> None:
    """Let no message of an earlier test come back."""
    with lab.servers.redis() as broker:
        broker.flushdb()


def pool_pid(node: Supervised) -> int:
    """Return the process of its pool."""
    pid = node.pool().pid
    assert pid is not None
    return pid


def test_a_killed_pool_is_healed_and_its_run_is_due_at_once(lab: NodeLab) -> None:
    with lab.node("healed", FAKE) as node:
        killed = node.until("running").pid
        message, go = lab.held()
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        until(lambda: node.pool().restarts == 1)
        assert lab.run(message).state == RunState.QUEUED
        told = dict(data_of_events(lab.database, message.job_id))["run_retried"]
        assert told["kind"] == "worker_lost"
        assert "SIGKILL" in str(told["why"])
        healed = node.until("running")
        assert healed.pid not in {None, killed}
        [shown] = [it for it in lab.done("pools", "list")["nodes"] if it["name"] == "healed"]
        [pool] = shown["pools"]
        assert (pool["state"], pool["restarts"], pool["pid"]) == ("running", 1, healed.pid)
        go.touch()
        lab.publish(message)
        lab.until_done(message)
        assert lab.run(message).attempt == 2
        assert "SIGKILL" in node.log


def test_a_pool_that_falls_silent_is_replaced(lab: NodeLab) -> None:
    with lab.node("silent", FAKE, CHORDSCRIBE_NODE__SILENT_SECONDS="3") as node:
        node.until("running")
        stopped = pool_pid(node)
        os.kill(stopped, signal.SIGSTOP)
        until(lambda: node.pool().restarts == 1)
        assert node.until("running").pid != stopped
        assert "no sign of life" in node.log


def test_a_pool_that_crashes_again_and_again_is_given_up_aloud(lab: NodeLab) -> None:
    broken: dict[str, object] = {"app": "no.such.app", "queues": ["broken"]}
    pools = {**FAKE, "broken": broken}
    with lab.node("loop", pools) as node:
        given_up = node.until("failed", "broken")
        assert given_up.reason is not None
        assert "crashed 5 times" in given_up.reason
        assert given_up.restarts == 4
        node.until("running")
        shown = lab.cli("pools", "list")
        assert "crashed 5 times" in shown.stdout
        assert "pool_given_up" in node.log
        again = lab.cli("pools", "start", "loop/broken")
        assert again.returncode == 1
        assert "crashed 5 times" in again.stderr


def test_a_supervisor_told_to_end_lets_its_runs_finish(lab: NodeLab) -> None:
    with lab.node("drained", FAKE) as node:
        node.until("running")
        message, go = lab.held()
        node.process.send_signal(signal.SIGTERM)
        until(lambda: lab.views()["drained"].state == "draining")
        assert node.until("stopping").runs
        go.touch()
        assert node.process.wait(COMMAND_SECONDS) == 0
        run = lab.run(message)
        assert (run.state, run.attempt) == (RunState.SUCCEEDED, 1)
        assert lab.views()["drained"].state == "stopped"
        assert node.pool().state == "stopped"
        assert node.left() == []
        assert "fake@drained" not in lab.present()


def test_a_run_that_outlasts_the_grace_is_handed_back(lab: NodeLab) -> None:
    with lab.node("short", FAKE, CHORDSCRIBE_WORKER__SHUTDOWN_SECONDS="1") as node:
        node.until("running")
        message, _ = lab.held()
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(COMMAND_SECONDS) == 0
        run = lab.run(message)
        assert (run.state, run.owner, run.attempt, run.forgiven) == (RunState.QUEUED, None, 1, 1)
        assert node.left() == []


def test_nothing_outlives_a_killed_supervisor(lab: NodeLab) -> None:
    with lab.node("killed", FAKE, CHORDSCRIBE_WORKER__SHUTDOWN_SECONDS="1") as node:
        node.until("running")
        message, _ = lab.held()
        assert len(node.seen()) >= 2
        node.process.kill()
        until(lambda: node.left() == [])
        run = lab.run(message)
        assert (run.state, run.forgiven) == (RunState.QUEUED, 1)


def test_a_worker_that_could_not_end_is_ended_by_the_next_supervisor(lab: NodeLab) -> None:
    with lab.node("heir", FAKE) as node:
        node.until("running")
        message, _ = lab.held()
        os.kill(pool_pid(node), signal.SIGSTOP)
        node.process.kill()
        node.process.wait()
        assert node.left()
        with lab.node("heir", FAKE) as heir:
            until(lambda: node.left() == [])
            until(lambda: lab.run(message).state == RunState.QUEUED)
            heir.until("running")
            assert "orphan_ended" in heir.log


def test_a_node_has_one_supervisor(lab: NodeLab) -> None:
    with lab.node("taken", FAKE) as node:
        node.until("running")
        second = lab.cli("worker", "--node", "taken", "--pool", "fake")
        assert second.returncode == 1
        assert "another supervisor" in second.stderr
        assert node.until("running").restarts == 0


def test_a_pool_that_does_not_fit_is_refused_with_figures(lab: NodeLab) -> None:
    hungry = Loaded("fake", "", "", "cpu")
    with lab.database.transaction() as session:
        store(session, hungry, Need(10**15), 1.0)
    try:
        with lab.node("small", FAKE) as node:
            reason = node.until("refused").reason
            assert reason is not None
            assert "0 of 1 processes fit: each needs 1,000,000,000 MB of memory" in reason
            started = lab.cli("pools", "start", "small/fake")
            assert started.returncode == 1
            assert "refused" in started.stderr
    finally:
        with lab.database.transaction() as session:
            session.query(Footprint).delete()


#: An app whose engine `fake` takes 300 MB amid the recording.
HUNGRY = """
from engine_workers.app import app
from engine_workers.engines.fake import Fake

passes, held = Fake._pass, []

def pass_hungrily(engine, point):
    if point == "middle":
        held.append(b"." * 300_000_000)
    passes(engine, point)

Fake._pass = pass_hungrily
"""


def test_a_process_that_takes_too_much_memory_is_ended_as_out_of_memory(lab: NodeLab) -> None:
    (lab.folder / "hungry_app.py").write_text(HUNGRY)
    pools: dict[str, dict[str, object]] = {
        "fake": {"app": "hungry_app", "kill_memory_per_child": 200}
    }
    with lab.node("greedy", pools, PYTHONPATH=str(lab.folder)) as node:
        node.until("running")
        message, _ = lab.held()
        until(lambda: "run_retried" in dict(data_of_events(lab.database, message.job_id)))
        told = dict(data_of_events(lab.database, message.job_id))["run_retried"]
        assert told["kind"] == "out_of_memory"
        assert node.pool().restarts == 0
        assert "memory_kill" in node.log


def change_schema(lab: NodeLab, revision: str) -> None:
    """Have the ledger say that it has another schema."""
    with lab.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def test_a_supervisor_waits_for_the_ledgers_schema(lab: NodeLab) -> None:
    change_schema(lab, "0001")
    try:
        with lab.node("early", FAKE) as node:
            until(lambda: "run `chordscribe db upgrade`" in node.log)
            change_schema(lab, SCHEMA_REVISION)
            node.until("running")
    finally:
        change_schema(lab, SCHEMA_REVISION)


def test_pools_work_on_while_the_ledger_restarts(lab: NodeLab) -> None:
    with lab.node("ledger", FAKE) as node:
        before = node.until("running").pid
        lab.servers.postgres.restart()
        until(lambda: "ledger_away" in node.log)
        assert lab.done("pools", "restart", "ledger/fake")["state"] == "running"
        assert node.until("running").pid != before
        assert node.pool().restarts == 0


def test_a_pool_waits_for_its_model(lab: NodeLab) -> None:
    pytest.importorskip("faster_whisper", reason="needs the extra 'faster-whisper'")
    pools: dict[str, dict[str, object]] = {"big": {"engines": ["faster_whisper"]}}
    missing = str(lab.folder / "no-model")
    with lab.node("empty", pools, CHORDSCRIBE_ENGINES__FASTER_WHISPER__MODEL=missing) as node:
        reason = node.until("waiting", "big").reason
        until(lambda: "holds no Whisper model" in (node.pool("big").reason or ""))
        late = lab.cli("pools", "start", "empty/big", "--timeout", "1")
        assert late.returncode == 1
        assert "still waiting" in late.stderr, reason
