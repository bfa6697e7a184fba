"""A process is well while it gets on; that it is there is not enough."""

from __future__ import annotations

import json
import logging
import socket
import urllib.error
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from schemas.health import HealthServer, Pulse
from schemas.health_settings import HealthSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = HealthSettings(ports={"it": 0})


def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code, json.load(error)


class Clock:
    """A clock that a test winds."""

    def __init__(self) -> None:
        """Begin anywhere."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the monotonic clock by which beats are timed."""
    found = Clock()
    monkeypatch.setattr("schemas.health.time.monotonic", found)
    return found


@pytest.fixture
def pulse() -> Pulse:
    """Return the pulse of a process that has just begun."""
    return Pulse()


@pytest.fixture
def port(pulse: Pulse) -> Iterator[int]:
    """Return the port that it is served on."""
    server = HealthServer(SETTINGS, "it", pulse)
    yield server.port
    server.stop()


def test_a_process_that_starts_is_alive_and_not_ready(port: int) -> None:
    assert ask(port, "/healthz")[0] == 200
    status, body = ask(port, "/readyz")
    assert (status, body["process"], body["why_not"]) == (503, "it", "it is starting")


def test_a_part_that_does_not_get_on_makes_the_process_unwell(pulse: Pulse, clock: Clock) -> None:
    pulse.beat("loop", 60)
    pulse.beat("alerts", 100)
    pulse.ready()
    clock.now += 59
    assert pulse.can_work()[0]
    clock.now += 2
    alive, about = pulse.alive()
    assert (alive, about["stuck"]) == (False, ["loop"])
    assert not pulse.can_work()[0]
    pulse.beat("loop", 60)
    assert pulse.alive()[0]


def test_a_part_that_waits_for_others_is_no_reason_to_start_it_again(
    pulse: Pulse, clock: Clock
) -> None:
    pulse.beat("loop")
    pulse.lose()
    clock.now += 10_000
    assert pulse.alive()[0]
    assert pulse.can_work() == (
        False,
        {
            "silent_seconds": {"loop": 10_000.0},
            "stuck": [],
            "why_not": "the broker is away",
        },
    )


def test_a_worker_beats_from_within_its_event_loop(pulse: Pulse, clock: Clock) -> None:
    calls: list[Any] = []

    class Timer:
        def call_repeatedly(self, secs: float, fun: Any, args: tuple[Any, ...]) -> None:  # noqa: ANN401
            calls.append((secs, fun, args))

    pulse.follow(Timer())
    ((_, fun, args),) = calls
    clock.now += 100
    assert not pulse.alive()[0], "the loop does not turn"
    fun(*args)
    assert pulse.can_work()[0]


def test_other_paths_are_not_there(port: int) -> None:
    assert ask(port, "/metrics")[0] == 404
    assert ask(port, "/healthz?full=1")[0] == 200


def test_a_client_that_says_nothing_keeps_no_other_waiting(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        assert ask(port, "/healthz")[0] == 200


def test_a_port_that_is_taken_is_told_and_stops_no_work(
    port: int, pulse: Pulse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        HealthServer(HealthSettings(ports={"it": port}), "it", pulse).stop()
    assert f"is not served on port {port}" in caplog.text


def test_a_process_without_a_port_serves_nothing(pulse: Pulse) -> None:
    server = HealthServer(SETTINGS, "another", pulse)
    assert not hasattr(server, "port")
    server.stop()
