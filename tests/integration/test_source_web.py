"""What is fetched from the web, and where a server cannot lead its client."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme

from coordinator.errors import BadSourceError
from coordinator.staging import stage
from schemas.settings import SourceSettings

BYTES = b"RIFF" + bytes(300_000)


class Answers(BaseHTTPRequestHandler):
    """A server that can be told by the path what to do."""

    #: Set when a test is over, so that no slow answer outlives it.
    over = threading.Event()

    def do_GET(self) -> None:
        """Answer."""
        getattr(self, self.path.strip("/").partition("/")[0].partition("?")[0])()

    def ok(self) -> None:
        """Send the recording."""
        self._send(200, {"Content-Length": str(len(BYTES))}, BYTES)

    def to(self) -> None:
        """Lead to the address behind the question mark."""
        self._send(302, {"Location": unquote(self.path.partition("?")[2]), "Content-Length": "0"})

    def round(self) -> None:
        """Lead back here."""
        self._send(302, {"Location": "/round", "Content-Length": "0"})

    def gone(self) -> None:
        """Have nothing."""
        self._send(404, {"Content-Length": "0"})

    def zipped(self) -> None:
        """Send it compressed."""
        body = gzip.compress(BYTES)
        self._send(200, {"Content-Encoding": "gzip", "Content-Length": str(len(body))}, body)

    def liar(self) -> None:
        """Promise a byte more than comes."""
        self._send(200, {"Content-Length": str(len(BYTES) + 1)}, BYTES)

    def large(self) -> None:
        """Promise a terabyte."""
        self._send(200, {"Content-Length": str(2**40)}, b"x")

    def endless(self) -> None:
        """Send without end."""
        self._send(200, {})
        while not self.over.is_set():
            try:
                self.wfile.write(bytes(65_536))
            except OSError:
                return

    def slow(self) -> None:
        """Send a byte now and then."""
        self._send(200, {"Content-Length": "1000000"}, b"x")
        while not self.over.wait(0.05):
            try:
                self.wfile.write(b"x")
            except OSError:
                return

    def empty(self) -> None:
        """Send nothing."""
        self._send(200, {"Content-Length": "0"})

    def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """Return who signs the server's certificate."""
    found = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    found.cert_pem.write_to_path(str(file))
    return found, file


@pytest.fixture(scope="module")
def address(authority: tuple[trustme.CA, Path]) -> Iterator[str]:
    """Serve on the loopback; return the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost", "127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"https://localhost:{server.server_port}"
    Answers.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


Fetch = Callable[..., int]


@pytest.fixture
def fetch(address: str, authority: tuple[trustme.CA, Path], tmp_path: Path) -> Fetch:
    """Return what stages an address of the server, and gives the size; only it may be reached."""

    def staged(path: str, **more: object) -> int:
        rules = {"allowed_networks": ["127.0.0.1/32"], "ca_file": authority[1], **more}
        source = path if path.startswith("https://") else address + path
        return stage(source, tmp_path / "media", SourceSettings.model_validate(rules)).size

    return staged


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_recording_is_fetched(fetch: Fetch, tmp_path: Path) -> None:
    assert fetch("/ok/talk.wav?X-Signature=secret") == len(BYTES)
    assert [path.read_bytes() for path in files(tmp_path)] == [BYTES]


def test_redirects_are_followed_within_what_may_be_reached(fetch: Fetch) -> None:
    assert fetch("/to?/to?/ok") == len(BYTES)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/to?http://localhost/x.wav", "no https address"),
        ("/to?file:///etc/passwd", "no https address"),
        ("/to?https://127.0.0.2/x.wav", "no public address"),
        ("/to?https://[::1]/x.wav", "no public address"),
        ("/to?https://user:secret@localhost/x.wav", "a user or a password"),
        ("/round", "more than 5 times"),
        ("/gone?sig=secret", "answers 404"),
        ("/zipped", "comes compressed"),
        ("/liar", "ended its answer early"),
        ("/large", "larger than"),
        ("/empty", "is empty"),
        ("https://localhost:1/x.wav?sig=secret", "cannot be read"),
    ],
)
def test_nothing_is_staged_of_what_is_refused(
    fetch: Fetch, tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, complaint: str
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(BadSourceError, match=complaint) as caught:
        fetch(path)
    assert files(tmp_path) == []
    assert "secret" not in str(caught.value)
    assert "secret" not in caplog.text


def test_no_more_than_the_most_bytes_are_taken_of_an_endless_answer(
    fetch: Fetch, tmp_path: Path
) -> None:
    with pytest.raises(BadSourceError, match=r"sources\.max_bytes"):
        fetch("/endless", max_bytes=1_000_000)
    assert files(tmp_path) == []


def test_a_server_that_drips_is_left_when_the_time_is_over(fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(BadSourceError, match="took too long"):
        fetch("/slow", max_seconds=0.3)
    assert files(tmp_path) == []


def test_this_machine_is_not_reached_unless_the_operator_says_so(address: str) -> None:
    with pytest.raises(BadSourceError, match="no public address"):
        stage(f"{address}/ok", Path("unused"))


def test_a_server_that_cannot_prove_its_name_is_not_read(fetch: Fetch) -> None:
    with pytest.raises(BadSourceError, match="certificate"):
        fetch("/ok", ca_file=None)


def test_a_name_is_asked_for_once_so_that_it_cannot_change_between_check_and_use(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["127.0.0.1", "127.0.0.2"])
    real = socket.getaddrinfo

    def changing(host: str, port: int, *args: object, **more: object) -> list:
        name = next(answers) if host == "localhost" else host
        return real(name, port, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    assert fetch("/ok") == len(BYTES)
    assert next(answers) == "127.0.0.2"  # it was not asked again
