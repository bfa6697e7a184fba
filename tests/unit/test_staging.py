"""What may be submitted, and what is told to who submits anything else."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from coordinator.errors import BadSourceError, StagingError
from coordinator.sources.shown import printable
from coordinator.staging import stage


def test_a_file_is_found_again_by_its_content(tmp_path: Path) -> None:
    source = tmp_path / "talk.wav"
    source.write_bytes(b"RIFF" + bytes(3_000_000))
    ref = stage(source, tmp_path / "media")
    assert ref.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (ref.size, ref.name) == (3_000_004, "talk.wav")
    assert (tmp_path / "media" / ref.key).read_bytes() == source.read_bytes()


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"the same bytes")
    first, second = (stage(tmp_path / name, tmp_path / "media") for name in ("a.wav", "b.wav"))
    assert first.sha256 == second.sha256
    kept = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert kept == [tmp_path / "media" / first.key]


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.wav").write_bytes(b"bytes")
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    assert stage(tmp_path / "link.wav", tmp_path / "media").size == 5


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("", "the path is empty"),
        ("   ", "the path is empty"),
        ("x" * 65_536, "65536 characters"),
        ("a\x00b.wav", "NUL"),
        ("a\nb.wav", "does not exist"),
        ("\u202egpj.wav", "does not exist"),
        ("lone\ud800.wav", "cannot be encoded"),
        ("nowhere.wav", "does not exist"),
        ("nowhere/at/all.wav", "does not exist"),
        ("x" * 300 + ".wav", "cannot be opened"),
        ("simplecache::file:///etc/passwd", "allowed are paths"),
        ("concat:a|b", "does not exist"),
        ("subfile,,start,0,end,0,,:x", "does not exist"),
        ("data:audio/wav;base64,AAAA", "does not exist"),
    ],
)
def test_what_is_no_local_file_is_refused(tmp_path: Path, source: str, complaint: str) -> None:
    with pytest.raises(BadSourceError, match=complaint) as caught:
        stage(source, tmp_path / "media")
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
    assert not (tmp_path / "media").exists()


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(BadSourceError, match="is empty"):
        stage(tmp_path / "empty.wav", tmp_path / "media")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSourceError, match="is a folder"):
        stage(tmp_path, tmp_path / "media")


def test_pipes_sockets_and_devices_are_neither_read_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for source in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
            with pytest.raises(BadSourceError, match="no regular file"):
                stage(source, tmp_path / "media")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(b"bytes")
    (tmp_path / "secret.wav").chmod(0)
    with pytest.raises(BadSourceError, match="may not be read"):
        stage(tmp_path / "secret.wav", tmp_path / "media")


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "growing.wav"
    source.write_bytes(b"x" * 100)
    real = hashlib.sha256

    def grow_then_hash() -> object:
        with source.open("ab") as more:
            more.write(b"yy")
        return real()

    monkeypatch.setattr("coordinator.staging.hashlib.sha256", grow_then_hash)
    with pytest.raises(BadSourceError, match="changed while it was read"):
        stage(source, tmp_path / "media")
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


def test_a_media_store_that_cannot_be_written_is_not_the_users_fault(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"bytes")
    (tmp_path / "media").write_text("a file where the folder should be")
    with pytest.raises(StagingError, match="media store"):
        stage(tmp_path / "a.wav", tmp_path / "media")


def test_names_are_made_fit_for_a_terminal() -> None:
    assert printable("evil\x1b[2J\u202ename\n.wav") == "evil�[2J�name�.wav"
