"""A service hears of a new configuration file within seconds, whether the kernel tells or not."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.following import Follower
from schemas.live_settings import LiveSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path("chordscribe.toml")
#: Seconds within which a change has to take effect.
PROMISED_SECONDS = 5.0


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder with a configuration file; leave the log's level as it was."""
    monkeypatch.chdir(tmp_path)
    FILE.write_text("version = 2\n[monitoring]\nlog_level = 'WARNING'\n")
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


def replace(text: str) -> None:
    """Put another file in its place at once, as editors do."""
    part = Path("part")
    part.write_text(text)
    os.replace(part, FILE)  # noqa: PTH105  # its own word


def overwrite(text: str) -> None:
    """Write it in place, as the shell does."""
    FILE.write_text(text)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("change", [replace, overwrite])
def test_a_change_takes_effect_in_time(*, told: bool, change: object) -> None:
    assert callable(change)
    done = threading.Event()
    live = LiveSettings.load()

    def also() -> None:
        if logging.getLogger().level == logging.DEBUG:
            done.set()

    follower = Follower(live, told=told, also=also).start()
    try:
        change("version = 2\n[monitoring]\nlog_level = 'DEBUG'\n")
        assert done.wait(PROMISED_SECONDS)
        assert live.now.monitoring.log_level == "DEBUG"
    finally:
        follower.stop()


def test_the_kernel_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.following.TIMEOUT_MS", 60_000)
    monkeypatch.setattr("schemas.following.LOOK_SECONDS", 60.0)
    heard, began = threading.Event(), threading.Event()
    live = LiveSettings.load()
    live.hear = lambda _news: heard.set()
    follower = Follower(live, told=True, also=began.set).start()
    try:
        assert began.wait(PROMISED_SECONDS)
        # The watch begins a moment after the first look: each write is a new chance to be heard.
        for _ in range(20):
            overwrite("version = 2\n[scheduling]\nmax_spare = 4\n")
            if heard.wait(1.0):
                break
        assert heard.is_set()
    finally:
        follower.stop()


def test_without_the_kernels_word_the_file_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("watchfiles.watch", none_left)
    heard = threading.Event()
    live = LiveSettings.load()
    live.hear = lambda _news: heard.set()
    follower = Follower(live, told=True).start()
    try:
        replace("version = 2\n[scheduling]\nmax_spare = 4\n")
        assert heard.wait(PROMISED_SECONDS)
        assert "Too many open files" in caplog.text
    finally:
        follower.stop()


def test_an_error_of_one_look_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    looks = threading.Semaphore(0)

    def also() -> None:
        looks.release()
        message = "this once"
        raise ValueError(message)

    follower = Follower(LiveSettings.load(), also=also).start()
    try:
        assert looks.acquire(timeout=PROMISED_SECONDS)
        assert looks.acquire(timeout=PROMISED_SECONDS)
        assert "was not looked at" in caplog.text
    finally:
        follower.stop()
