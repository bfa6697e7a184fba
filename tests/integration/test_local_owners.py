"""Whoever needs the embedded stack owns it; it ends with its last owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from coordinator.local.messages import FlowerRequest
from coordinator.local.stack import running
from schemas.settings import load_settings
from tests.integration.local_stacks import (
    ROLES,
    Owner,
    leaders,
    ledger_is_ready,
    only,
    processes,
    stack_of,
    wait_ended,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Servers


def test_a_second_client_uses_the_stack_that_runs(data_dir: Path) -> None:
    with stack_of(data_dir, engines=["fake"]) as first:
        before = leaders(data_dir)
        with stack_of(data_dir, engines=["fake"]) as second:
            assert (first.reused, second.reused) == (False, True)
            assert second.settings.database_url == first.settings.database_url
            assert second.settings.broker_url == first.settings.broker_url
            assert leaders(data_dir) == before
        assert leaders(data_dir) == before
    assert processes(data_dir) == []


def test_the_stack_outlives_its_starter_while_another_client_uses_it(data_dir: Path) -> None:
    starter = Owner(data_dir, ["fake"])
    assert starter.wait_ready() == "started"
    with stack_of(data_dir, work=False) as stack:
        starter.kill()
        assert ledger_is_ready(stack)
        assert processes(data_dir, "engine-fake")
    assert processes(data_dir) == []


def test_nothing_outlives_the_last_owner_however_it_ended(data_dir: Path) -> None:
    owner = Owner(data_dir, ["fake"])
    owner.wait_ready()
    alive = [one for one in processes(data_dir) if one.pid != owner.process.pid]
    # A supervisor, two servers and three roles, each of those with a child of its own.
    assert len(alive) >= 9
    owner.kill()
    wait_ended(alive)
    assert processes(data_dir) == []


def test_a_starter_that_is_killed_at_once_leaves_nothing(reachable_tmp: Path) -> None:
    seen: list[str] = []
    owner = Owner(reachable_tmp)
    supervisor: list[psutil.Process] = []
    while not supervisor and owner.process.poll() is None:
        supervisor = psutil.Process(owner.process.pid).children()
    owner.kill()
    wait_ended(supervisor)
    assert processes(reachable_tmp) == []
    with stack_of(reachable_tmp, on_status=seen.append) as stack:
        assert ledger_is_ready(stack)


def test_clients_that_start_at_once_share_one_stack(data_dir: Path) -> None:
    owners = [Owner(data_dir) for _ in range(3)]
    said = sorted(owner.wait_ready() for owner in owners)
    assert said == ["found", "found", "started"]
    assert len(processes(data_dir, "coordinator.local.supervisor")) == 1
    for owner in owners:
        owner.leave()
    assert processes(data_dir) == []


def test_a_client_that_meets_an_ending_stack_gets_a_new_one(data_dir: Path) -> None:
    slow = ("sh", "-c", "trap 'sleep 1; exit' TERM; sleep 600 & wait")
    with stack_of(data_dir, work=False, roles={**ROLES, "flower": slow}) as first:
        first.need(work=False, flower=FlowerRequest("me", "secret", 0))
        ending = processes(data_dir)
        supervisor = processes(data_dir, "coordinator.local.supervisor")[0]
        supervisor.terminate()
        said: list[str] = []
        with stack_of(data_dir, on_status=said.append) as stack:
            assert not stack.reused
            wait_ended(ending)
            assert ledger_is_ready(stack)
        assert said[0] == "waiting for the stack before this one to end"


def test_a_client_that_only_reads_needs_no_broker_and_no_role(data_dir: Path) -> None:
    with stack_of(data_dir, work=False) as stack:
        assert ledger_is_ready(stack)
        assert stack.settings.broker_url is None
        assert processes(data_dir, "postgres")
        assert not processes(data_dir, "valkey")
        assert not processes(data_dir, "sleep 600")


def test_an_engine_that_is_needed_later_gets_its_worker(data_dir: Path) -> None:
    with stack_of(data_dir, work=False) as stack:
        stack.need(engines=["fake"])
        assert stack.settings.broker_url is not None
        fake = only(data_dir, "engine-fake")
        stack.need(engines=["other"])
        assert processes(data_dir, "engine-other")
        assert processes(data_dir, "engine-fake") == [fake]


def test_with_both_servers_elsewhere_nothing_is_started(
    servers: Servers, reachable_tmp: Path
) -> None:
    settings = servers.settings("chordscribe", data_dir=reachable_tmp / "data")
    with running(settings, engines=["fake"]) as stack:
        assert stack.settings is settings
        assert not (reachable_tmp / "data").exists()


def test_with_one_server_elsewhere_only_the_other_is_embedded(
    servers: Servers, reachable_tmp: Path
) -> None:
    elsewhere = servers.settings("chordscribe").database_url
    settings = load_settings(
        _env_file=None, broker_url=None, database_url=elsewhere, data_dir=reachable_tmp
    )
    with running(settings, work=False, broker=True) as stack:
        assert stack.settings.database_url == elsewhere
        assert processes(reachable_tmp, "valkey")
        assert not processes(reachable_tmp, "postgres")
