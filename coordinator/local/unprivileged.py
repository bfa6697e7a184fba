"""Which user the servers run as when we are root, since Postgres refuses root."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coordinator.errors import DataDirectoryError, LocalStackError

if TYPE_CHECKING:
    from pathlib import Path

#: Tried in this order; each owns nothing on a usual system.
USER_NAMES = ("nobody", "daemon", "bin")


@dataclass(frozen=True)
class ServerUser:
    """A user with an entry in the password database, which Postgres looks up."""

    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        """Return what makes `subprocess` run a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_user() -> ServerUser | None:
    """Return the user to run the servers as; None: the one that we are.

    Raises:
        LocalStackError: we are root, and there is no unprivileged user.
    """
    if os.geteuid() != 0:
        return None
    for name in USER_NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return ServerUser(name, entry.pw_uid, entry.pw_gid)
    message = (
        f"the servers do not run as root, and there is no user {', '.join(USER_NAMES)}: create "
        "one, or run Chordscribe as a plain user"
    )
    raise LocalStackError(message)


def closed_folder(folder: Path, user: ServerUser) -> Path | None:
    """Return the first folder on the way to `folder` that `user` cannot enter."""
    for step in (*reversed(folder.parents), folder):
        found = step.stat()
        if found.st_uid == user.uid:
            needed = stat.S_IXUSR
        elif found.st_gid == user.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not found.st_mode & needed:
            return step
    return None


def check_reachable(folder: Path, user: ServerUser) -> None:
    """Make sure that `user` can come to `folder`.

    Raises:
        DataDirectoryError: it cannot; the message names the folder that is closed.
    """
    closed = closed_folder(folder, user)
    if closed is not None:
        message = (
            f"as root, the servers run as the user '{user.name}', who cannot enter {closed}: "
            f"choose another data directory with CHORDSCRIBE_DATA_DIR, or `chmod o+x {closed}`"
        )
        raise DataDirectoryError(message)


def own_folder(folder: Path, user: ServerUser | None) -> None:
    """Create `folder` for the servers alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if user is not None:
        os.chown(folder, user.uid, user.gid)
