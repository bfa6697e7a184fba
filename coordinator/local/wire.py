"""One message of the control socket: a JSON object on a line."""

from __future__ import annotations

import json
from typing import Any

#: The longest line, in bytes.
MAX_LINE_BYTES = 2**20

#: A message; which keys it has says what it is (`messages.py`).
Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """Return the line of a message."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of a line.

    Raises:
        ValueError: it is not a JSON object.
    """
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")  # noqa: TRY003, TRY004, EM101
    return message
