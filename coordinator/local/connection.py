"""A client's end of the control socket."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from coordinator.errors import StackLostError
from coordinator.local.wire import decode, encode

if TYPE_CHECKING:
    import socket

    from coordinator.local.wire import Message

#: Bytes to read at once.
CHUNK_BYTES = 65536


class Connection:
    """Sends and receives messages; as long as it is open, its process owns the stack."""

    def __init__(self, connected: socket.socket) -> None:
        """Use a connected socket."""
        self._socket = connected
        self._read = b""

    def fileno(self) -> int:
        """Return the file descriptor, for `select`."""
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            StackLostError: the supervisor has closed its end.
        """
        try:
            self._socket.sendall(encode(message))
        except OSError:
            raise StackLostError from None

    def receive(self, timeout_seconds: float) -> Message | None:
        """Return the next message; None when there was none in time.

        Raises:
            StackLostError: the supervisor has closed its end.
        """
        deadline = time.monotonic() + timeout_seconds
        while b"\n" not in self._read:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._socket], [], [], left)[0]:
                return None
            try:
                chunk = self._socket.recv(CHUNK_BYTES)
            except OSError:
                chunk = b""
            if not chunk:
                raise StackLostError
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return decode(line)

    def close(self) -> None:
        """Give up ownership."""
        self._socket.close()
