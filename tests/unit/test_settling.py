"""A file counts as whole once it has not changed for a while, by whatever order of looks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from coordinator.batches.settling import Settling

if TYPE_CHECKING:
    from pathlib import Path

SETTLE = 5.0


def written(path: Path, content: bytes, at: int) -> str:
    path.write_bytes(content)
    os.utime(path, ns=(at, at))
    return str(path)


def test_a_file_that_grows_is_not_whole_until_it_stops(tmp_path: Path) -> None:
    settling = Settling(SETTLE)
    for second in range(0, 12, 4):
        path = written(tmp_path / "a.wav", b"x" * (second + 1), second)
        settling.note(path, float(second))
        assert settling.settled(second + 3.9) == []
    assert settling.settled(8 + SETTLE) == [path]


def test_a_change_that_nobody_told_of_is_seen_before_the_file_is_given(tmp_path: Path) -> None:
    settling = Settling(SETTLE)
    path = written(tmp_path / "a.wav", b"x", 1)
    settling.note(path, 0.0)
    written(tmp_path / "a.wav", b"xy", 2)
    assert settling.settled(SETTLE) == []
    assert settling.settled(2 * SETTLE) == [path]


def test_what_was_taken_is_given_again_only_when_it_has_changed(tmp_path: Path) -> None:
    settling = Settling(SETTLE)
    path = written(tmp_path / "a.wav", b"x", 1)
    settling.note(path, 0.0)
    settling.take(settling.settled(SETTLE))
    settling.note(path, 20.0)
    assert settling.settled(40.0) == []
    written(tmp_path / "a.wav", b"y", 2)
    settling.note(path, 40.0)
    assert settling.settled(40.0 + SETTLE) == [path]


def test_what_was_put_off_is_given_again_after_a_while(tmp_path: Path) -> None:
    settling = Settling(SETTLE)
    path = written(tmp_path / "a.wav", b"x", 1)
    settling.note(path, 0.0)
    settling.put_off(settling.settled(SETTLE), SETTLE)
    assert settling.settled(2 * SETTLE - 0.1) == []
    assert settling.settled(2 * SETTLE) == [path]


def test_empty_files_folders_pipes_and_what_is_gone_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "empty.wav").touch()
    gone = written(tmp_path / "gone.wav", b"x", 1)
    settling = Settling(SETTLE)
    for name in ("folder.wav", "pipe.wav", "empty.wav", "gone.wav", "never.wav", "nul\0.wav"):
        settling.note(f"{tmp_path}/{name}", 0.0)
    os.unlink(gone)  # noqa: PTH108  # it is a text here
    assert settling.settled(100.0) == []
    filled = written(tmp_path / "empty.wav", b"x", 1)
    settling.note(filled, 100.0)
    assert settling.settled(100.0 + SETTLE) == [filled]
