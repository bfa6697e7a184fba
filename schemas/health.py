"""Tells over HTTP whether a process gets on, not whether it is there."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from schemas.health_settings import HealthSettings

#: Seconds that a client may take to ask.
ASK_SECONDS = 5.0
#: Seconds between two beats of an event loop, and without one after which it counts as stuck.
BEAT_SECONDS, STUCK_SECONDS = 2.0, 60.0
OK, UNAVAILABLE, NOT_FOUND = 200, 503, 404

log = logging.getLogger("chordscribe.health")


class Timer(Protocol):
    """What calls a function again and again within a Celery worker's event loop."""

    def call_repeatedly(self, secs: float, fun: Any, args: tuple[Any, ...]) -> object:  # noqa: ANN401
        """Begin to."""


@dataclass
class _Part:
    """A part of a process that has to get on."""

    limit_seconds: float
    beaten_at: float
    #: Whether it waits for something that is not its fault, such as a broker that is away.
    rests: bool = False


class Pulse:
    """What the parts of a process tell of themselves; any thread may use it."""

    def __init__(self) -> None:
        """Begin without parts, not ready."""
        self._parts: dict[str, _Part] = {}
        self._why: str | None = "it is starting"
        self._lock = threading.Lock()

    def beat(self, part: str, limit_seconds: float = STUCK_SECONDS) -> None:
        """Tell that a part has got on, and that it will again within so many seconds."""
        with self._lock:
            self._parts[part] = _Part(limit_seconds, time.monotonic())

    def rest(self, part: str) -> None:
        """Tell that a part waits for others until it beats again."""
        with self._lock:
            if part in self._parts:
                self._parts[part].rests = True

    def ready(self, why_not: str | None = None) -> None:
        """Tell that the process can do its work, or why it cannot."""
        with self._lock:
            self._why = why_not

    def alive(self) -> tuple[bool, dict[str, Any]]:
        """Return whether all parts get on, with how long ago each did."""
        now = time.monotonic()
        with self._lock:
            silent = {name: now - part.beaten_at for name, part in self._parts.items()}
            stuck = sorted(
                name
                for name, part in self._parts.items()
                if not part.rests and silent[name] > part.limit_seconds
            )
        about = {"silent_seconds": {name: round(it, 1) for name, it in silent.items()}}
        return not stuck, {**about, "stuck": stuck}

    def can_work(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the process can do its work."""
        alive, about = self.alive()
        with self._lock:
            why = self._why
        return alive and why is None, {**about, "why_not": why}

    def follow(self, timer: Timer) -> None:
        """Beat from within a Celery worker's event loop, which is connected."""
        self.beat("loop")
        self.ready()
        timer.call_repeatedly(BEAT_SECONDS, self.beat, ("loop",))

    def lose(self) -> None:
        """Tell that a Celery worker has lost its broker: it waits for that."""
        self.rest("loop")
        self.ready("the broker is away")


class HealthServer:
    """Serves `/healthz` and `/readyz` in threads of its own."""

    def __init__(self, settings: HealthSettings, name: str, pulse: Pulse) -> None:
        """Begin to serve, where a port is configured for this process.

        What cannot be served is logged: work is not kept waiting for that.
        """
        self._server: ThreadingHTTPServer | None = None
        port = settings.ports.get(name)
        if port is None:
            return
        try:
            self._server = _Server((settings.host, port), _handler(name, pulse))
        except OSError as error:
            log.error("health of %s is not served on port %s: %s", name, port, error)  # noqa: TRY400
            return
        self.port: int = self._server.server_address[1]
        log.info("health of %s is served on port %s", name, self.port)
        thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="health", daemon=True
        )
        thread.start()

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def leave(self) -> None:
        """Give the socket up in a forked child, where nobody serves it."""
        if self._server is not None:
            self._server.socket.close()


class _Server(ThreadingHTTPServer):
    """A server whose threads end with the process."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


def _handler(process: str, pulse: Pulse) -> type[BaseHTTPRequestHandler]:
    asked = {"/healthz": pulse.alive, "/readyz": pulse.can_work}

    class Handler(BaseHTTPRequestHandler):
        """Answers one question."""

        timeout = ASK_SECONDS
        server_version, sys_version = "chordscribe", ""

        def do_GET(self) -> None:
            """Answer."""
            question = asked.get(self.path.partition("?")[0])
            if question is None:
                self._answer(NOT_FOUND, {"error": "there are /healthz, /readyz"})
                return
            well, about = question()
            self._answer(OK if well else UNAVAILABLE, {"process": process, "ok": well, **about})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing of those who ask."""

    return Handler
