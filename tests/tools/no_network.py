"""A pytest plug-in that keeps the tests, and what they start, on this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys

#: What keeps Hugging Face's libraries, which engines use, from asking their hub.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def pytest_configure() -> None:
    """Refuse connections from now on."""
    os.environ.update(OFFLINE)
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        connecting, address = arguments
        if isinstance(connecting, socket.socket) and isinstance(address, tuple):
            _refuse_host(str(address[0]))
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        name = arguments[0]
        _refuse_host(name.decode() if isinstance(name, bytes) else str(name))


def _refuse_host(host: str) -> None:
    if host in {"", "localhost"}:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        message = f"a test tried to reach {host}: tests use servers of their own"
        raise ConnectionRefusedError(message)
