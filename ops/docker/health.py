"""Says by its exit code whether a container's role is well: `health.py ledger | worker | http`."""

from __future__ import annotations

import importlib
import socket
import sys
import urllib.request
from collections.abc import Callable

#: Seconds to wait for an answer.
TIMEOUT_SECONDS = 8.0


def ledger() -> bool:
    """Say whether the database answers and has the schema of this version."""
    from schemas.database import Database  # noqa: PLC0415  # the other checks need no database
    from schemas.settings import load_settings  # noqa: PLC0415

    Database(load_settings()).check_schema()
    return True


def worker(module: str, name: str) -> bool:
    """Say whether the worker of that name in this container answers over the broker."""
    app = importlib.import_module(module).app
    node = f"{name}@{socket.gethostname()}"
    return bool(app.control.ping(destination=[node], timeout=TIMEOUT_SECONDS, limit=1))


def http(url: str) -> bool:
    """Say whether a page of this container can be fetched."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # from compose.yaml
        return bool(answer.status == 200)  # noqa: PLR2004  # HTTP's OK


CHECKS: dict[str, Callable[..., bool]] = {"ledger": ledger, "worker": worker, "http": http}

if __name__ == "__main__":
    sys.exit(not CHECKS[sys.argv[1]](*sys.argv[2:]))
