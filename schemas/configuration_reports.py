"""Tells the ledger what became of this machine's configuration."""

from __future__ import annotations

import threading
from pathlib import Path

from schemas.database import Database, record_configuration
from schemas.errors import LedgerError
from schemas.kept_files import keep
from schemas.live_settings import News

ACCEPTED, REFUSED = "accepted", "refused"


class ConfigurationReports:
    """Keeps what there is to tell until the ledger has it; any thread may use it."""

    def __init__(self, database: Database, node: str, process: str, who: str | None = None) -> None:
        """Begin with nothing to tell.

        Args:
            database: the ledger.
            node: the machine's name.
            process: which kind of process sees the file.
            who: who changes it; None: its owner, as far as one can see.
        """
        self._database = database
        self._node = node
        self._process = process
        self._who = who
        self._lock = threading.Lock()
        self._rows: list[dict[str, object]] = []

    def hear(self, news: News) -> None:
        """Keep the file for a rollback if it is right; take note, `send` tells it."""
        if news.refused is None and news.text is None:
            return  # there is no file
        data: dict[str, object] = {
            "changes": [change.told() for change in news.changed],
            "restart": [change.told() for change in news.waiting],
        }
        if news.refused is not None:
            data["problem"] = news.refused
        who = self._who or owner_of(news.file)
        if news.text is not None:
            kept = keep(news.file, news.text, f"seen by the {self._process}", who)
            data["version"] = kept.number if kept is not None else None
        row: dict[str, object] = {
            "node": self._node,
            "process": self._process,
            "file": str(news.file),
            "kind": ACCEPTED if news.refused is None else REFUSED,
            "digest": news.digest,
            "who": who,
            "data": data,
        }
        with self._lock:
            self._rows.append(row)

    def send(self) -> bool:
        """Tell what is left; return whether the ledger has it all: it may be away."""
        with self._lock:
            while self._rows:
                try:
                    with self._database.transaction() as session:
                        record_configuration(session, **self._rows[0])
                except LedgerError:
                    return False
                self._rows.pop(0)
        return True


def owner_of(file: Path) -> str | None:
    """Return whose file it is; None where there is none, or nobody of that number."""
    try:
        return file.owner()
    except (OSError, KeyError):
        return None
