"""Posts a message to a web address, signed as Standard Webhooks has it.

The specification is at https://www.standardwebhooks.com: the signature is an HMAC with SHA-256
over the message's id, its time in seconds since 1970, its body, with a dot between each.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import ssl
import time
from typing import TYPE_CHECKING, Any

import httpcore2

from coordinator.errors import DeliveryError
from coordinator.sources.web import TimedStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.alert_settings import WebhookSettings

#: What a secret in base64 begins with.
SECRET_PREFIX = "whsec_"  # noqa: S105  # it is none
#: Answers after which it makes sense to try again: the rest below 500 says that we are wrong.
AGAIN = frozenset({408, 425, 429})
TAKEN, REDIRECT, WRONG, BROKEN = 200, 300, 400, 500

# It would write down the address, which may hold a token.
logging.getLogger("httpcore2").setLevel(logging.WARNING)


class _Until(httpcore2.SyncBackend):
    """Connects in such a way that nothing takes longer than until a moment given."""

    def __init__(self, until: float) -> None:
        """Keep the moment, by the monotonic clock."""
        self._until = until

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect."""
        stream = super().connect_tcp(host, port, timeout, local_address, socket_options)
        return TimedStream(stream, self._until)


def post(settings: WebhookSettings, body: Mapping[str, Any], number: str) -> None:
    """Post a message; a receiver that has seen its number has it already.

    Raises:
        DeliveryError: it was not taken.
    """
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    headers = _headers(settings, content, number, int(time.time()))
    limit = settings.timeout_seconds
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), limit)
    url = settings.url.get_secret_value() if settings.url else ""
    try:
        with (
            httpcore2.ConnectionPool(network_backend=_Until(time.monotonic() + limit)) as pool,
            pool.stream(
                "POST", url, headers=headers, content=content, extensions={"timeout": timeouts}
            ) as answer,
        ):
            _check(answer.status)
    except httpcore2.TimeoutException as error:
        message = f"the webhook did not answer within {limit:g} s"
        raise DeliveryError(message) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError) as error:
        message = f"the webhook cannot be reached: {type(error).__name__}"
        raise DeliveryError(message) from error
    except (UnicodeError, ValueError) as error:
        message = "the webhook's address cannot be understood"
        raise DeliveryError(message, final=True) from error


def _headers(
    settings: WebhookSettings, content: bytes, number: str, at: int
) -> list[tuple[str, str]]:
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("User-Agent", "chordscribe"),
        ("webhook-id", number),
        ("webhook-timestamp", str(at)),
    ]
    if settings.secret is not None:
        key = secret_bytes(settings.secret.get_secret_value())
        headers.append(("webhook-signature", signature(key, number, at, content)))
    return headers


def signature(key: bytes, number: str, at: int, content: bytes) -> str:
    """Return the signature of a message."""
    signed = b".".join((number.encode(), str(at).encode(), content))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def secret_bytes(secret: str) -> bytes:
    """Return the key that a secret stands for."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _check(status: int) -> None:
    if TAKEN <= status < REDIRECT:
        return
    if REDIRECT <= status < WRONG:
        message = f"the webhook answers {status}: a redirect is not followed"
        raise DeliveryError(message, final=True)
    message = f"the webhook answers {status}"
    raise DeliveryError(message, final=status < BROKEN and status not in AGAIN)
