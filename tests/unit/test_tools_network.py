"""A test cannot leave the machine by mistake."""

from __future__ import annotations

import os
import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_connection_to_another_machine_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.socket(family) as connecting,
        pytest.raises(ConnectionRefusedError, match="tried to reach"),
    ):
        connecting.connect((host, 443))


def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(ConnectionRefusedError, match="tried to reach"):
        socket.getaddrinfo("example.org", 443)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()):
            pass
        assert socket.getaddrinfo("localhost", server.getsockname()[1])


def test_engines_that_tests_start_know_that_no_hub_is_there() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
