"""Streams a recording from an https address without being led to where it must not go."""

from __future__ import annotations

import logging
import ssl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpcore2

from coordinator.errors import BadSourceError
from coordinator.sources.addresses import resolve_checked
from coordinator.sources.reference import Reference, read_reference
from schemas.settings import SourceSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Redirects that are followed.
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FOUND = 200
#: Seconds to connect in, and seconds without a byte after which a server counts as gone.
CONNECT_SECONDS, SILENT_SECONDS = 10.0, 30.0
#: What a redirect may lead to.
HTTPS_ALONE = SourceSettings(schemes=("https",))
#: No compression: what is read is what is kept, and no small answer grows in memory.
HEADERS = [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", "chordscribe")]

# It would write down the addresses that redirects lead to, signatures and all.
logging.getLogger("httpcore2").setLevel(logging.WARNING)


class TimedStream(httpcore2.NetworkStream):
    """A connection on which nothing takes longer than until a moment given."""

    def __init__(self, stream: httpcore2.NetworkStream, until: float) -> None:
        """Wrap a stream; `until` is by the monotonic clock."""
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes."""
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all the bytes."""
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """Begin to encrypt; the certificate has to be the host's, whatever the address."""
        secured = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return TimedStream(secured, self._until)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # as the library has it
        """Return what the stream knows of itself."""
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout
        return min(left, timeout or SILENT_SECONDS)


class CheckedBackend(httpcore2.NetworkBackend):
    """Connects to addresses that were checked, never to a name that may mean others by then."""

    def __init__(self, rules: SourceSettings, until: float) -> None:
        """Keep what may be reached, and until when."""
        self._rules, self._until = rules, until
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of the host that answers.

        Raises:
            BadSourceError: one of its addresses must not be reached.
            httpcore2.NetworkError: none answers.
        """
        *others, last = resolve_checked(host, port, self._rules.allowed_networks)
        for address in [*others, last]:
            try:
                stream = self._plain.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.NetworkError, httpcore2.TimeoutException):
                if address == last:
                    raise
            else:
                return TimedStream(stream, self._until)
        raise AssertionError  # the last one returned or raised


@contextmanager
def opened(reference: Reference, rules: SourceSettings) -> Iterator[Iterator[bytes]]:
    """Ask for the address; give the blocks of its body as they come.

    Raises:
        BadSourceError: it cannot be had, it lies where nothing may be read, or takes too long.
    """
    until = time.monotonic() + rules.max_seconds
    backend = CheckedBackend(rules, until)
    try:
        with httpcore2.ConnectionPool(
            ssl_context=_trust(rules), network_backend=backend, max_connections=1, retries=0
        ) as pool:
            yield from _followed(pool, reference, rules)
    except httpcore2.TimeoutException as error:
        limit = f"security.sources.max_seconds: {rules.max_seconds:g}"
        message = f"{reference.shown} took too long ({limit})"
        raise BadSourceError(message) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError) as error:
        message = f"{reference.shown} cannot be read: {_reason(error)}"
        raise BadSourceError(message) from error


def _followed(
    pool: httpcore2.ConnectionPool, reference: Reference, rules: SourceSettings
) -> Iterator[Iterator[bytes]]:
    """Yield the body once, after at most five redirects."""
    at = reference
    for _ in range(MAX_REDIRECTS + 1):
        with pool.stream("GET", at.target, headers=HEADERS, extensions=_timeouts()) as answer:
            headers = {name.lower(): value for name, value in answer.headers}
            place = headers.get(b"location")
            if answer.status not in REDIRECTS or place is None:
                _check(at, answer.status, headers, rules)
                yield answer.iter_stream()
                return
        at = _next(reference, at, place)
    message = f"{reference.shown} redirects more than {MAX_REDIRECTS} times"
    raise BadSourceError(message)


def _next(reference: Reference, at: Reference, place: bytes) -> Reference:
    target = urljoin(at.target, place.decode("ascii", "replace"))
    if not target.lower().startswith("https://"):
        message = f"{reference.shown} redirects to what is no https address"
        raise BadSourceError(message)
    return read_reference(target, HTTPS_ALONE)


def _check(at: Reference, status: int, headers: dict[bytes, bytes], rules: SourceSettings) -> None:
    if status != FOUND:
        message = f"{at.shown} cannot be read: the server answers {status}"
    elif headers.get(b"content-encoding", b"identity").lower() != b"identity":
        message = f"{at.shown} comes compressed, although it was asked for as it is"
    elif int(headers.get(b"content-length") or 0) > rules.max_bytes:
        limit = f"{rules.max_bytes:,} bytes (security.sources.max_bytes)"
        message = f"{at.shown} is larger than {limit}"
    else:
        return
    raise BadSourceError(message)


def _timeouts() -> dict[str, dict[str, float]]:
    names = dict.fromkeys(("read", "write", "pool"), SILENT_SECONDS)
    return {"timeout": {"connect": CONNECT_SECONDS, **names}}


def _trust(rules: SourceSettings) -> ssl.SSLContext:
    """Trust the system's authorities, or those that the operator names."""
    if rules.ca_file is None:
        return httpcore2.default_ssl_context()
    try:
        return ssl.create_default_context(cafile=rules.ca_file)
    except (OSError, ssl.SSLError) as error:
        message = f"security.sources.ca_file cannot be read: {error}"
        raise BadSourceError(message) from error


def _reason(error: Exception) -> str:
    """Return why, in the words of the library, none of which repeat an address."""
    if isinstance(error, httpcore2.RemoteProtocolError):
        return "the server ended its answer early, or does not speak HTTP"
    cause = error.__cause__ or error.__context__ or error
    told = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    return str(told or "no answer")
