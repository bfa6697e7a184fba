"""What is killed in an embedded stack comes back; what a killed supervisor left is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
import redis

from coordinator.errors import StackLostError
from coordinator.local.messages import FlowerRequest
from coordinator.local.paths import stack_paths
from coordinator.local.processes import identity
from tests.integration.local_stacks import (
    PATIENCE_SECONDS,
    ROLES,
    ledger_is_ready,
    lives,
    only,
    processes,
    stack_of,
    until,
    wait_ended,
)

if TYPE_CHECKING:
    from pathlib import Path

#: A role that refuses to end in order, as its child does.
STUBBORN = ("/bin/sh", "-c", "trap '' TERM; sleep 600 & while true; do wait; done")


def _supervisor(data_dir: Path) -> psutil.Process:
    return only(data_dir, "coordinator.local.supervisor")


def test_a_role_that_dies_is_started_again(data_dir: Path) -> None:
    with stack_of(data_dir, engines=["fake"]):
        before = processes(data_dir, "engine-fake")
        before[0].kill()
        wait_ended(before)
        until(lambda: bool(processes(data_dir, "engine-fake")))


def test_what_a_dead_role_left_in_its_session_ends_too(data_dir: Path) -> None:
    with stack_of(data_dir, engines=["fake"]):
        role = only(data_dir, "engine-fake")
        pool = role.children(recursive=True)
        role.kill()
        assert pool
        wait_ended(pool)


def test_a_role_that_does_not_end_in_order_is_killed(data_dir: Path) -> None:
    # Flower alone is never taken to be idle.
    roles = {**ROLES, "flower": (*STUBBORN, "flower")}
    with stack_of(data_dir, work=False, roles=roles) as stack:
        stack.need(work=False, flower=FlowerRequest("me", "secret", 0))
        role = only(data_dir, "flower")
        alive = [role, *role.children(recursive=True)]
        # Its trap is set once its child runs.
        until(lambda: len(role.children()) == 1)
    assert not any(lives(process) for process in alive)
    assert processes(data_dir) == []


def test_a_killed_roles_temporary_files_go(data_dir: Path) -> None:
    keep = "mktemp; mktemp -d; sleep 600 & wait"
    roles = {**ROLES, "engine": ("/bin/sh", "-c", keep, "engine-{engine}")}
    temporary = stack_paths(data_dir).temporary
    with stack_of(data_dir, engines=["fake"], roles=roles):
        until(lambda: len(list(temporary.iterdir())) == 2)
    assert not temporary.exists()


def test_the_database_comes_back_after_it_was_killed(data_dir: Path) -> None:
    with stack_of(data_dir, work=False) as stack:
        server = only(data_dir, "postgres -D")
        server.kill()
        wait_ended([server])
        until(lambda: len(processes(data_dir, "postgres -D")) == 1)
        until(lambda: ledger_is_ready(stack))


def test_a_new_broker_begins_empty_with_new_workers(data_dir: Path) -> None:
    with stack_of(data_dir, engines=["fake"]):
        server = only(data_dir, "valkey")
        roles = processes(data_dir, "sleep 600")
        path = str(stack_paths(data_dir).sockets / "valkey.sock")
        with redis.Redis(unix_socket_path=path) as broker:
            broker.lpush("asr.fake", "a message that a dead worker may have had")
            server.kill()
            wait_ended([server, *roles])
            until(lambda: bool(processes(data_dir, "wait coordinator")))
            assert broker.dbsize() == 0


def test_a_client_cleans_up_after_a_supervisor_that_was_killed(data_dir: Path) -> None:
    with stack_of(data_dir, engines=["fake"]) as stack:
        alive = processes(data_dir)
        _supervisor(data_dir).kill()
        with pytest.raises(StackLostError):
            stack.poll(PATIENCE_SECONDS)
    wait_ended(alive)
    assert processes(data_dir) == []


def test_a_start_ends_what_a_killed_supervisor_and_a_killed_client_left(data_dir: Path) -> None:
    # Given the record of a supervisor that is gone, with a role that does not want to end
    with stack_of(data_dir, work=False):
        pass
    left = subprocess.Popen([*STUBBORN, "left"], start_new_session=True)
    until(lambda: len(psutil.Process(left.pid).children()) == 1)
    family = [psutil.Process(left.pid), *psutil.Process(left.pid).children()]
    _record(data_dir, left.pid, identity(left.pid) or "")
    # When a stack starts
    with stack_of(data_dir, work=False) as stack:
        # Then nothing is left of it
        left.wait(PATIENCE_SECONDS)
        wait_ended(family)
        assert ledger_is_ready(stack)


def test_a_start_ends_the_children_of_a_recorded_role_that_is_gone(data_dir: Path) -> None:
    role = subprocess.Popen(["/bin/sh", "-c", "sleep 600 & wait"], start_new_session=True)
    mark = identity(role.pid) or ""
    until(lambda: len(psutil.Process(role.pid).children()) == 1)
    pool = psutil.Process(role.pid).children()
    role.kill()
    role.wait()
    _record(data_dir, role.pid, mark)
    with stack_of(data_dir, work=False):
        wait_ended(pool)


def test_a_process_that_only_has_a_recorded_number_is_left_alone(data_dir: Path) -> None:
    other = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    try:
        _record(data_dir, other.pid, f"{(identity(os.getpid()) or '').split(':')[0]}:1")
        with stack_of(data_dir, work=False):
            assert other.poll() is None
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def _record(data_dir: Path, pid: int, mark: str) -> None:
    fields = {
        "name": "engine-left",
        "pid": pid,
        "identity": mark,
        "stop_signal": int(signal.SIGTERM),
        "serves": False,
    }
    stack_paths(data_dir).record.write_text(json.dumps([fields]))
