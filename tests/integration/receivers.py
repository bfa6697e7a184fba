"""What alerts are delivered to in tests: a web server, a mail server."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Hook:
    """A web server that takes what is posted to it."""

    address: str = ""
    #: What came: path, headers in lower case, body.
    got: queue.Queue[tuple[str, dict[str, str], bytes]] = field(default_factory=queue.Queue)
    #: What it answers, the last for ever; headers besides.
    answers: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    #: It hangs until this is set.
    go_on: threading.Event = field(default_factory=threading.Event)

    def answer(self) -> int:
        """Return the status of the next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def web_server() -> Iterator[Hook]:
    """Run a web server; its path `/hang` does not answer until it is told to go on."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = {name.lower(): value for name, value in self.headers.items()}
            hook.got.put((self.path, told, body))
            if self.path == "/hang":
                hook.go_on.wait(60)
                return
            self.send_response(hook.answer())
            for name, value in {**hook.headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    hook.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hook
    finally:
        hook.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Post:
    """A mail server that keeps what comes."""

    port: int = 0
    got: queue.Queue[Any] = field(default_factory=queue.Queue)
    #: What it replies to a mail.
    reply: str = "250 taken"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: ANN401, N802
        """Take a mail."""
        if self.reply.startswith("250"):
            self.got.put(envelope)
        return self.reply


@contextmanager
def mail_server() -> Iterator[Post]:
    """Run a mail server."""
    post = Post()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        post.port = probe.getsockname()[1]
    controller = Controller(post, hostname="127.0.0.1", port=post.port, ready_timeout=30)
    controller.start()
    try:
        yield post
    finally:
        controller.stop()
