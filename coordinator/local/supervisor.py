"""The process that owns an embedded stack: `python -m coordinator.local.supervisor LOCK DIR`.

It is started by `starter.py` only, with the stack's lock held on the file descriptor LOCK and the
starter's connection as its standard input. It ends when its last client has gone, however it went.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from coordinator.local.children import Children
from coordinator.local.crew import Crew
from coordinator.local.leftovers import end_leftovers
from coordinator.local.messages import Boot
from coordinator.local.owners import Owners
from coordinator.local.paths import StackPaths, remove_transient, renew_temporary, stack_paths
from coordinator.local.wire import MAX_LINE_BYTES, decode

#: These ask us to end in order; whoever closed our terminal does not concern us.
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def supervise(paths: StackPaths, starter: socket.socket) -> None:
    """Serve the starter and all clients after it, then end everything."""
    reader, writer = await asyncio.open_connection(sock=starter, limit=MAX_LINE_BYTES)
    line = await reader.readline()
    if not line:
        return
    boot = Boot(**decode(line))
    for name in end_leftovers(paths.record):
        print(f"ended {name}, left by a supervisor that was killed", flush=True)
    renew_temporary(paths)
    children = Children(paths)
    owners = Owners()
    crew = Crew(boot, paths, children, owners.notice)
    owners.ensure = crew.ensure
    for number in END_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, owners.gone.set)
    server = await asyncio.start_unix_server(
        owners.serve, sock=_bound(paths.control), limit=MAX_LINE_BYTES
    )
    first = asyncio.create_task(owners.serve(reader, writer))
    try:
        await owners.gone.wait()
    finally:
        paths.control.unlink(missing_ok=True)
        server.close()
        await crew.stop()
        paths.record.unlink(missing_ok=True)
        remove_transient(paths)
        first.cancel()


def _bound(control: Path) -> socket.socket:
    """Return a socket at `control` that only this user can connect to."""
    control.unlink(missing_ok=True)  # we hold the lock: nobody listens on it
    bound = socket.socket(socket.AF_UNIX)
    umask = os.umask(0o177)
    bound.bind(str(control))
    os.umask(umask)
    return bound


def main() -> int:
    """Run the supervisor; return the exit code."""
    lock, data_dir = int(sys.argv[1]), Path(sys.argv[2])
    os.set_inheritable(lock, False)  # noqa: FBT003  # positional only
    starter = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    asyncio.run(supervise(stack_paths(data_dir), starter))
    return 0


if __name__ == "__main__":
    sys.exit(main())
