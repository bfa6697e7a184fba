"""Recordings are read from a real S3 server, whose keys stay where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from coordinator.errors import BadSourceError
from coordinator.sources.walking import Folders, expand
from coordinator.staging import stage
from schemas.settings import SourceSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = SourceSettings()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve a bucket on the loopback; return the address."""
    found = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    yield f"http://{host}:{port}"
    found.stop()


@pytest.fixture(autouse=True)
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put recordings into a bucket, its keys into the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdirs("calls-2026", exist_ok=True)
    for key in ("day/a.wav", "day/b.MP3", "day/notes.txt", "day/deep/c.flac"):
        system.pipe(f"calls-2026/{key}", key.encode() * 100_000)


def test_an_object_is_staged(tmp_path: Path) -> None:
    found = stage("s3://calls-2026/day/a.wav", tmp_path, RULES)
    assert found.name == "a.wav"
    assert (tmp_path / found.key).read_bytes() == b"day/a.wav" * 100_000


@pytest.mark.parametrize(
    ("source", "folders", "found"),
    [
        ("s3://calls-2026/day/", Folders(), ["a.wav", "b.MP3"]),
        ("s3://calls-2026/day/", Folders(recursive=True), ["a.wav", "b.MP3", "deep/c.flac"]),
        ("s3://calls-2026/day/", Folders(include=("*.txt",)), ["notes.txt"]),
        ("s3://calls-2026/day/*.wav", Folders(), ["a.wav"]),
    ],
)
def test_a_prefix_or_a_pattern_stands_for_its_objects(
    source: str, folders: Folders, found: list[str]
) -> None:
    names = [f"s3://calls-2026/day/{name}" for name in found]
    assert list(expand([source], folders, RULES)) == names


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("s3://calls-2026/gone.wav", "does not exist"),
        ("s3://no-such-bucket/a.wav", "does not exist"),
    ],
)
def test_what_is_not_there_is_told_without_keys(
    tmp_path: Path, source: str, complaint: str
) -> None:
    with pytest.raises(BadSourceError, match=complaint) as caught:
        stage(source, tmp_path / "media", RULES)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "media").exists()


def test_no_more_than_the_most_bytes_are_taken(tmp_path: Path) -> None:
    with pytest.raises(BadSourceError, match=r"sources\.max_bytes"):
        stage("s3://calls-2026/day/a.wav", tmp_path, SourceSettings(max_bytes=1000))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
