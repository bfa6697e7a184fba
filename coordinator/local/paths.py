"""Where the embedded stack keeps its files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from coordinator.errors import DataDirectoryError

#: The longest path a unix socket can have, in bytes (macOS; Linux takes 107).
MAX_SOCKET_BYTES = 103
#: The longest socket name below a stack's private folder: one that Python's multiprocessing makes
#: in a role's temporary folder.
LONGEST_SOCKET = "tmp/pymp-12345678/listener-12345678"
#: Paths that every URL parser on the way (kombu, SQLAlchemy, libpq, Flower) reads alike.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
#: Where sockets go when the data directory's path is too long or not plain. Not TMPDIR: two
#: clients of one stack may have different ones.
SHORT_FOLDER = Path("/tmp")  # noqa: S108  # a private folder below it, checked to be ours


@dataclass(frozen=True)
class StackPaths:
    """The files of the stack of one data directory."""

    #: The data directory, absolute, without symbolic links.
    data: Path
    #: A folder of ours that holds the sockets.
    private: Path

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as anything of the stack lives."""
        return self.data / "run" / "lock"

    @property
    def record(self) -> Path:
        """The stack's processes, for the supervisor that follows a killed one."""
        return self.data / "run" / "pids.json"

    @property
    def control(self) -> Path:
        """The socket on which the supervisor hears its clients."""
        return self.private / "control.sock"

    @property
    def sockets(self) -> Path:
        """The folder of the servers' sockets."""
        return self.private / "servers"

    @property
    def temporary(self) -> Path:
        """The roles' TMPDIR, emptied at each end, as a killed process cannot clean up itself."""
        return self.private / "tmp"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.data / "logs"

    @property
    def valkey(self) -> Path:
        """The broker's files."""
        return self.data / "valkey"

    @property
    def postgres(self) -> Path:
        """The database's files."""
        return self.data / "postgres"

    @property
    def copies(self) -> Path:
        """Server binaries copied from where the servers' user cannot reach them."""
        return self.data / "bin"


def stack_paths(data_dir: Path) -> StackPaths:
    """Return the paths of the stack of `data_dir`; nothing is created."""
    data = data_dir.expanduser().resolve()
    private = data / "run"
    socket = os.fsencode(private / LONGEST_SOCKET)
    if len(socket) > MAX_SOCKET_BYTES or not PLAIN_PATH.fullmatch(str(private)):
        mark = hashlib.sha256(os.fsencode(data)).hexdigest()[:10]
        private = SHORT_FOLDER / f"chordscribe-{os.geteuid()}-{mark}"
    return StackPaths(data, private)


def make_folders(paths: StackPaths) -> None:
    """Create the folders that belong to the user who runs the stack.

    Raises:
        DataDirectoryError: one cannot be created, or is not this user's own.
    """
    # Root's servers run as another user, who must be able to pass through; nobody may look in.
    passable = 0o711 if os.geteuid() == 0 else 0o700
    try:
        _make(paths.data, passable)
        _make(paths.private, passable)
        _make(paths.logs, 0o700)
        _make(paths.record.parent, 0o700)
    except OSError as error:
        message = (
            f"cannot use the data directory {paths.data}: {error.strerror} ({error.filename}); "
            "choose another with CHORDSCRIBE_DATA_DIR"
        )
        raise DataDirectoryError(message) from None
    _check_ours(paths.record.parent)
    _check_ours(paths.private)


def renew_temporary(paths: StackPaths) -> None:
    """Give the roles an empty temporary folder; call it under the stack's lock, with none alive."""
    shutil.rmtree(paths.temporary, ignore_errors=True)
    _make(paths.temporary, 0o700)


def remove_transient(paths: StackPaths) -> None:
    """Remove what serves living processes only; call it under the stack's lock, with none alive."""
    shutil.rmtree(paths.temporary, ignore_errors=True)
    shutil.rmtree(paths.sockets, ignore_errors=True)
    if not paths.private.is_relative_to(paths.data):
        shutil.rmtree(paths.private, ignore_errors=True)


def _make(folder: Path, mode: int) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(mode)  # whatever the umask is


def _check_ours(folder: Path) -> None:
    found = folder.lstat()
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or others_write:
        message = f"{folder} is not a private folder of this user: remove it and start again"
        raise DataDirectoryError(message)
