"""Local processes behind docker-py's interface, so that pytest-celery's components drive them.

A case that uses these components can drive real containers as well.
"""

from __future__ import annotations

import ctypes
import os
import select
import shlex
import signal
import subprocess
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_celery import CeleryTestWorker, CeleryWorkerContainer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from celery import Celery

#: Seconds within which a killed process is gone.
GONE_SECONDS = 30
#: `prctl` option: the signal that the kernel sends when our parent ends (<linux/prctl.h>).
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass
class ProcessContainer:
    """One process with its children: what docker-py's `Container` offers, as far as it is used."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    #: Where its output goes, one file an incarnation.
    logs_folder: Path
    #: What it says when it is ready to work.
    prompt: str = " ready."
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    incarnation: int = 0
    #: Whether this incarnation has ended and its number may be another's.
    _gone: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        """Start it."""
        self.attrs: dict[str, Any] = {
            "Config": {"Hostname": "localhost", "Env": [f"{k}={v}" for k, v in self.env.items()]},
            "NetworkSettings": {"Networks": {}, "Ports": {}},
            "HostConfig": {"PortBindings": {}},
        }
        self.labels: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        """Start it, or start it again; its log begins anew."""
        assert self.wait(0), f"{self.name} still runs"
        self._gone = False
        self.incarnation += 1
        self.log = self.logs_folder / f"{self.name}.{self.incarnation}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                start_new_session=True,
                # Nothing outlives the test, however it ends.
                preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL)),  # noqa: PLW1509
            )

    @property
    def pid(self) -> int:
        """The number of its first process."""
        return self.process.pid

    @property
    def status(self) -> str:
        """In Docker's words."""
        return "exited" if self._gone or self._has_exited() else "running"

    def reload(self) -> None:
        """Do nothing: `status` is always fresh."""

    def logs(self, **_: object) -> bytes:
        """Return what this incarnation has said."""
        return self.log.read_bytes()

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Kill every process of it, as the kernel kills a container; other signals go to the first.

        Waits until it has ended.
        """
        self.send(signal if isinstance(signal, int) else getattr(_signals(), signal))
        assert self.wait(GONE_SECONDS), f"{self.name} did not end"

    def send(self, number: int) -> None:
        """Send a signal without waiting for what follows."""
        if self._gone:
            return
        if number == _signals().SIGKILL:
            os.killpg(self.pid, number)
        else:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; return whether it has. Children that it left are killed."""
        if self._gone:
            return True
        handle = os.pidfd_open(self.pid)
        try:
            ended, _, _ = select.select([handle], [], [], seconds)
        finally:
            os.close(handle)
        if ended:
            self._reap()
        return bool(ended)

    def stop(self, timeout: float = 10) -> None:
        """End it in order; by force after so many seconds."""
        self.send(_signals().SIGTERM)
        if not self.wait(timeout):
            self.kill()

    def _has_exited(self) -> bool:
        """Whether it has ended. It keeps its number until `_reap`, so that no other gets it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _reap(self) -> None:
        os.killpg(self.pid, _signals().SIGKILL)  # a zombie keeps its group: nobody else's is hit
        self.process.wait()
        self._gone = True

    def restart(self, timeout: float = 10) -> None:
        """End it, then start it again."""
        self.stop(timeout)
        self.start()

    def remove(self, **_: object) -> None:
        """End it."""
        self.stop()

    def exec_run(self, command: str, **_: object) -> tuple[int, bytes]:
        """Run a command beside it."""
        done = subprocess.run(shlex.split(command), env=self.env, capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr


def _signals() -> Any:  # noqa: ANN401  # `kill` has an argument of that name, as docker-py's
    return signal


class RoleContainer(CeleryWorkerContainer):  # type: ignore[misc]  # pytest-celery is untyped
    """A role of Chordscribe."""

    @property
    def ready_prompt(self) -> str:
        """What it says when it is ready to work."""
        return str(self._container.prompt)


class Worker(CeleryTestWorker):  # type: ignore[misc]
    """A worker as pytest-celery knows it, over a local process."""

    def __init__(self, process: ProcessContainer, app: Celery) -> None:
        """Wrap a process that was just started."""
        super().__init__(RoleContainer(process), app)
        self.process = process
