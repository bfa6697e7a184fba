"""Settings that follow the configuration file while a process runs."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from schemas.errors import ConfigurationError
from schemas.setting_changes import Change, changes, with_hot_keys
from schemas.setting_sources import bytes_of, config_file, parsed, reading_instead
from schemas.settings import Settings, load_settings

#: Seconds between two looks at the file at most, while somebody asks for the settings.
LOOK_SECONDS = 1.0
#: Seconds for which the file has to stay as it is before it is read: an editor may be at it.
SETTLE_SECONDS = 0.5

log = logging.getLogger("chordscribe.configuration")

#: What a file looks like from outside: its number, its size, when it was written (nanoseconds).
Mark = tuple[int, int, int]


@dataclass(frozen=True)
class News:
    """What a look at the file has found."""

    file: Path
    #: SHA-256 of its bytes; empty where there is none.
    digest: str
    #: What is in it; None: there is none, or it is wrong.
    text: str | None = None
    #: What took effect.
    changed: tuple[Change, ...] = ()
    #: What differs from what this process began with, and takes effect when it begins again.
    waiting: tuple[Change, ...] = ()
    #: Why the file counts for nothing; None: it is right.
    refused: str | None = None
    #: Whether it is right again, after it was refused.
    mended: bool = False


class LiveSettings:
    """The settings of this process; any thread may ask for them."""

    def __init__(
        self,
        settings: Settings,
        *,
        follow: bool = True,
        hear: Callable[[News], None] = lambda _news: None,
    ) -> None:
        """Begin with settings that were loaded before; the first look reads the file once more.

        Args:
            settings: as they were loaded; what was added to them since stays.
            follow: whether the file is looked at; False: they stay as they are.
            hear: told of what is found.
        """
        self.hear = hear
        #: The file that is looked at; None: none is.
        self.file = config_file().absolute() if follow else None
        self._now = settings
        self._lock = threading.Lock()
        self._next_look = time.monotonic() + LOOK_SECONDS
        #: What the file made of them when it was first read, and last; None: it was not yet.
        self._began: Settings | None = None
        self._read: Settings | None = None
        #: The bytes of the last file that was right; None: there was none.
        self._good: bytes | None = None
        self._refused = False
        #: What the file looked like when it was read; False: it was not yet.
        self._seen: Mark | bool | None = False
        #: What it looks like since, and since when by the monotonic clock.
        self._new: tuple[Mark | bool | None, float] = (False, 0.0)

    @classmethod
    def load(cls) -> LiveSettings:
        """Load them.

        Raises:
            ConfigurationError: they are wrong.
        """
        file = config_file().absolute()
        mark = mark_of(file)
        live = cls(load_settings())
        if mark == mark_of(file):  # else the first look reads it again
            live._seen, live._began, live._read = mark, live._now, live._now
            live._good = bytes_of(file)
        return live

    @property
    def now(self) -> Settings:
        """The settings in force: those of the file, if it changed since and is right."""
        if self.file is not None and time.monotonic() >= self._next_look:
            self.look()
        return self._now

    def renew(self) -> None:
        """Begin anew in a forked child: a thread of the parent's may have been looking."""
        self._lock = threading.Lock()

    def look(self) -> News | None:
        """Look whether the file has changed; return what was found, None where nothing is new."""
        if self.file is None or not self._lock.acquire(blocking=False):
            return None
        try:
            self._next_look = time.monotonic() + LOOK_SECONDS
            news = self._look(self.file)
        finally:
            self._lock.release()
        if news is not None:
            _write_down(news)
            self.hear(news)
        return news

    def _look(self, file: Path) -> News | None:
        mark = mark_of(file)
        if mark == self._seen or not self._settled(mark):
            return None
        digest = ""
        try:
            data = bytes_of(file)
            if mark_of(file) != mark:
                return None  # somebody writes it now
            self._seen = mark
            digest = hashlib.sha256(data).hexdigest() if data is not None else ""
            read = self._parsed(file, data)
        except ConfigurationError as error:
            self._seen, self._refused = mark, True
            return News(file, digest, refused=str(error))
        self._good = data
        return self._take(read, News(file, digest, data.decode() if data is not None else None))

    def _settled(self, mark: Mark | None) -> bool:
        """Whether nobody writes the file any more, as far as one can see."""
        if self._seen is False:
            return True
        if mark is not None and time.time() - mark[2] / 1e9 > SETTLE_SECONDS:
            return True
        now = time.monotonic()
        if self._new[0] != mark:
            self._new = (mark, now)
        return now - self._new[1] >= SETTLE_SECONDS

    def _parsed(self, file: Path, data: bytes | None) -> Settings:
        """Read the file as at the start, but for the signs of one that is cut off."""
        problem = cut_off(self._good, data)
        if problem:
            message = f"{file.name} {problem}"
            raise ConfigurationError(message)
        with reading_instead(parsed(file, data or b"")):
            return load_settings()

    def _take(self, read: Settings, news: News) -> News:
        """Have what is hot take effect."""
        before, self._read = self._read or self._now, read
        self._began = self._began or read
        changed = tuple(it for it in changes(before, read) if it.hot)
        waiting = tuple(it for it in changes(self._began, read) if not it.hot)
        if changed:
            self._now = with_hot_keys(self._now, read)
        mended, self._refused = self._refused, False
        return replace(news, changed=changed, waiting=waiting, mended=mended)


def mark_of(file: Path) -> Mark | None:
    """Return what the file looks like from outside; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def cut_off(good: bytes | None, data: bytes | None) -> str:
    """Return the sign, if there is one, that a file is not what somebody meant to write.

    Args:
        good: what was right before; None: there was no file.
        data: what there is now; None: there is no file.
    """
    if data is None:
        return "" if good is None else "is gone"
    if good is None:
        return ""
    if good.strip() and not data.strip():
        return "is empty; `chordscribe config reset` makes one without settings"
    if good.endswith(b"\n") and not data.endswith(b"\n"):
        return "ends in the middle of a line, as if it were half written"
    return ""


def _write_down(news: News) -> None:
    if news.refused is not None:
        log.error("configuration refused, the last good one stays: %s", news.refused)
    if news.mended:
        log.warning("the configuration is right again")
    if news.changed:
        log.info("configuration changed: %s", "; ".join(map(str, news.changed)))
    if news.waiting:
        told = "; ".join(map(str, news.waiting))
        log.warning("configuration changed, restart needed: %s", told)
