"""An operator's commands change what is wanted of pools; the supervisors make it so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from schemas.runs import RunState
from tests.acceptance.conftest import command
from tests.acceptance.node_lab import COMMAND_SECONDS, NodeLab, Supervised, node_lab
from tests.integration.engine_rows import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def lab() -> Iterator[NodeLab]:
    """Return servers of this file's own."""
    with node_lab() as found:
        yield found


@pytest.fixture(scope="module")
def node(lab: NodeLab) -> Iterator[Supervised]:
    """Return a node with one pool, which each test leaves running with one slot."""
    with lab.node("here", {"fake": {}}) as found:
        found.until("running")
        yield found


def begin(lab: NodeLab, *arguments: str) -> subprocess.Popen[str]:
    """Begin a command whose end another event brings about."""
    return subprocess.Popen(
        command(*arguments), env=lab.env(), cwd=lab.folder, stdout=subprocess.PIPE, text=True
    )


def test_stop_and_start_are_waited_for(lab: NodeLab, node: Supervised) -> None:
    stopped = lab.done("pools", "stop", "here/fake")
    assert (stopped["state"], stopped["slots"]) == ("stopped", 0)
    assert "fake@here" not in lab.present()
    message = lab.send()
    started = lab.done("pools", "start", "fake")
    assert (started["node"], started["state"], started["slots"]) == ("here", "running", 1)
    lab.until_done(message)
    assert node.pool().restarts == 0


def test_scaling_lets_the_run_at_work_finish(lab: NodeLab, node: Supervised) -> None:
    before = node.pool().pid
    message, go = lab.held()
    with begin(lab, "pools", "scale", "here/fake", "2") as scaling:
        shown = node.until("stopping")
        assert [run["run"] for run in shown.runs] == [str(message.run_id)]
        assert lab.run(message).state == RunState.RUNNING
        go.touch()
        assert scaling.wait(COMMAND_SECONDS) == 0
        assert scaling.stdout is not None
        assert scaling.stdout.read() == "here/fake: running, 2 at a time on cpu\n"
    run = lab.run(message)
    assert (run.state, run.attempt, run.forgiven) == (RunState.SUCCEEDED, 1, 0)
    first, second = lab.held(), lab.held()  # both at a time
    for _, released in (first, second):
        released.touch()
    for held, _ in (first, second):
        lab.until_done(held)
    assert lab.done("pools", "scale", "here/fake", "1")["slots"] == 1
    assert node.pool().pid != before


def test_restart_replaces_the_process(lab: NodeLab, node: Supervised) -> None:
    before = node.pool().pid
    assert lab.done("pools", "restart", "here/fake")["state"] == "running"
    assert node.pool().pid not in {None, before}
    assert node.pool().restarts == 0, "that was no crash"


def test_a_command_that_waits_in_vain_says_what_still_happens(
    lab: NodeLab, node: Supervised
) -> None:
    message, go = lab.held()
    late = lab.cli("pools", "restart", "here/fake", "--timeout", "0.5")
    assert late.returncode == 1
    assert "still stopping, 1 runs are at work after 0 s" in late.stderr
    go.touch()
    node.until("running")
    lab.until_done(message)


def test_a_worker_that_hangs_amid_its_end_is_ended_once_it_works_on_nothing(lab: NodeLab) -> None:
    with lab.node("hung", {"fake": {}}, CHORDSCRIBE_NODE__QUIET_SECONDS="2") as hung:
        pid = hung.until("running").pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert lab.done("pools", "stop", "hung/fake")["state"] == "stopped"
        assert hung.pool().restarts == 0
        assert "pool_killed" in hung.log


def test_commands_work_while_the_broker_is_down(lab: NodeLab, node: Supervised) -> None:
    lab.servers.broker.stop(signal.SIGKILL)
    try:
        assert lab.done("pools", "stop", "here/fake")["state"] == "stopped"
        assert lab.done("pools", "start", "here/fake")["state"] == "running"
        assert lab.done("pools", "scale", "here/fake", "2")["slots"] == 2
        assert lab.done("pools", "restart", "here/fake")["slots"] == 2
        until(lambda: "broker does not answer" in (lab.views()["here"].note or ""))
        assert lab.done("pools", "scale", "here/fake", "1")["slots"] == 1
    finally:
        lab.servers.broker.start()
    lab.until_done(lab.send())
    assert node.pool().restarts == 0


def test_what_was_stopped_stays_stopped_when_its_supervisor_starts_anew(lab: NodeLab) -> None:
    with lab.node("again", {"fake": {}}) as first:
        first.until("running")
        lab.done("pools", "scale", "again/fake", "2")
        lab.done("pools", "stop", "again/fake")
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(COMMAND_SECONDS) == 0
    silent = lab.cli("pools", "start", "again/fake", "--timeout", "1")
    assert silent.returncode == 1
    assert "nobody looks after" in silent.stderr
    lab.cli("pools", "stop", "again/fake", "--timeout", "0")
    with lab.node("again", {"fake": {}}) as second:
        second.until("stopped")
        started = lab.done("pools", "start", "again/fake")
        assert (started["state"], started["slots"]) == ("running", 2)


@pytest.mark.parametrize("name", ["nowhere/fake", "here/nothing", "nothing"])
def test_a_pool_that_is_not_there_is_wrong_usage(lab: NodeLab, node: Supervised, name: str) -> None:
    wrong = lab.cli("pools", "stop", name)
    assert wrong.returncode == 2
    assert "known: " in wrong.stderr
    assert "here/fake" in wrong.stderr


def test_a_worker_without_a_pool_is_told_how_to_have_one(lab: NodeLab) -> None:
    none = lab.cli("worker")
    assert none.returncode == 2
    assert "[pools.NAME]" in none.stderr
    unknown = lab.cli("worker", "--pool", "gpu")
    assert unknown.returncode == 2
    assert "[pools.gpu]" in unknown.stderr


def test_celerys_own_command_still_serves_an_engine(lab: NodeLab) -> None:
    argv = [sys.executable, "-m", "celery", "-A", "engine_workers.app", "worker"]
    options = ["-Q", "asr.fake", "-n", "plain@there", "-c", "1", "--without-mingle"]
    with subprocess.Popen([*argv, *options], env=lab.env(C_FORCE_ROOT="1")) as process:
        until(lambda: "plain@there" in lab.present())
        process.terminate()
        assert process.wait(COMMAND_SECONDS) == 0
