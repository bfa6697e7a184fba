"""`compose.yaml` asks for its passwords, shows nothing to the network, runs nothing as root."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from engine_workers.catalogue import engine_names
from engine_workers.cli.worker import with_pools
from schemas.names import QUEUE_AGGREGATION, QUEUE_MEDIA, engine_queue
from schemas.settings import load_settings
from tests.tools.sizes import ROOT

TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
SERVERS = {"redis", "postgres"}
ROLES = sorted(set(SERVICES) - SERVERS)
WORKERS = {
    name: service["command"]
    for name, service in SERVICES.items()
    if "worker" in service.get("command", []) and "celery" in service["command"]
}
POOLS = {
    name: service["command"]
    for name, service in SERVICES.items()
    if service.get("command", [])[:2] == ["chordscribe", "worker"]
}


def test_every_password_must_be_set_by_whoever_starts_it() -> None:
    variables = set(re.findall(r"\$\{(\w+PASSWORD)(:\?[^}]+)?\}", TEXT))
    assert {name for name, _ in variables} == {
        "REDIS_PASSWORD",
        "POSTGRES_PASSWORD",
        "FLOWER_PASSWORD",
    }
    assert all(message for _, message in variables), "a password without :? may be empty"


def test_the_example_names_every_variable_and_sets_no_password() -> None:
    example = (ROOT / "ops/docker/env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?(\w+)=", example, re.MULTILINE))
    assert named == set(re.findall(r"\$\{(\w+)", TEXT))
    assert not re.findall(r"PASSWORD=.+", example)


def test_only_flower_can_be_reached_and_only_from_this_machine() -> None:
    open_to = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(open_to) == ["flower"]
    assert all(port.startswith("127.0.0.1:") for port in open_to["flower"])
    assert SERVICES["flower"]["environment"]["FLOWER_READ_ONLY"] == "True"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_no_rights_that_it_does_not_need(role: str) -> None:
    service = SERVICES[role]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    dockerfile = (ROOT / service["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)", dockerfile, re.MULTILINE) == ["chordscribe"]


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"migrate", "chordscribe"}))
def test_what_runs_for_long_says_how_it_is_and_comes_back(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_the_broker_keeps_what_it_took() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_consumes_one_queue_that_the_product_names(name: str) -> None:
    known = {engine_queue(engine) for engine in engine_names()} | {QUEUE_AGGREGATION, QUEUE_MEDIA}
    [queue] = [option for option in WORKERS[name] if option.startswith("--queues=")]
    assert queue.removeprefix("--queues=") in known


@pytest.mark.parametrize("name", POOLS)
def test_a_pool_is_one_that_the_command_knows_and_is_asked_how_it_is(name: str) -> None:
    asked = POOLS[name][2:]
    _, [pool] = with_pools(load_settings(_env_file=None), asked[1:])
    assert asked == ["--pool", pool]
    check = SERVICES[name]["healthcheck"]["test"]
    assert check[-3:] == ["worker", "engine_workers.app", pool], "the worker is called like it"


def test_the_engines_workers_are_pools() -> None:
    assert {command[-1] for command in POOLS.values()} == {"faster_whisper", "moonshine"}


def test_only_those_who_stage_or_prepare_recordings_may_write_them() -> None:
    writers = {
        name for name, service in SERVICES.items() if "media:/media" in service.get("volumes", [])
    }
    assert writers == {"coordinator", "chordscribe", "worker-media"}


def test_no_role_starts_before_the_schema_is_there() -> None:
    for name in set(ROLES) - {"migrate", "flower"}:
        needs = SERVICES[name]["depends_on"]["migrate"]
        assert needs == {"condition": "service_completed_successfully"}
