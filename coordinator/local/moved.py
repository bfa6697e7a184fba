"""The mark on an embedded installation that went to servers: nobody works on in it by mistake."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from coordinator.errors import MovedError

if TYPE_CHECKING:
    from pathlib import Path

#: The mark's file in the data directory.
NAME = "moved.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where an installation went."""

    #: The database, without a password.
    to: str
    at: str
    #: False: it is on the way, or that was interrupted.
    done: bool


def set_mark(data_dir: Path, to: str, *, done: bool) -> None:
    """Write down that the installation has moved, or is moving."""
    mark = Mark(to, datetime.now(UTC).isoformat(timespec="seconds"), done)
    part = data_dir / f".{NAME}.part"
    part.write_text(json.dumps(asdict(mark)), encoding="utf-8")
    part.replace(data_dir / NAME)


def clear_mark(data_dir: Path) -> None:
    """Take it back."""
    (data_dir / NAME).unlink(missing_ok=True)


def check_not_moved(data_dir: Path) -> None:
    """Make sure that the installation is still here.

    Raises:
        MovedError: it went to servers, or is going; the message says where they are.
    """
    path = data_dir / NAME
    try:
        mark = Mark(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, TypeError) as error:
        message = f"{path} cannot be read, so whether this installation has moved is not known"
        raise MovedError(message) from error
    if mark.done:
        message = (
            f"this installation moved to {mark.to} on {mark.at}: set CHORDSCRIBE_DATABASE_URL and "
            f"CHORDSCRIBE_BROKER_URL. To go on here all the same, remove {path}"
        )
    else:
        message = (
            f"this installation has been moving to {mark.to} since {mark.at}. If that was "
            f"interrupted, nothing is lost here: remove {path}, empty the new database, try again"
        )
    raise MovedError(message)
