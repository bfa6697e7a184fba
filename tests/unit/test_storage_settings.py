"""`storage.url` names a folder or a bucket; anything else is refused with a word of help."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.local.settings_env import settings_env
from coordinator.staging import stage
from schemas.errors import ConfigurationError
from schemas.media_store import BucketStore, FolderStore, open_store
from schemas.settings import Settings, load_settings


def with_url(url: str, **more: object) -> Settings:
    return load_settings(_env_file=None, storage={"url": url}, **more)


@pytest.mark.parametrize("url", ["/srv/media", "file:///srv/media"])
def test_a_folder_takes_the_place_of_the_media_directory(url: str) -> None:
    settings = with_url(url, media_dir=Path("/elsewhere"))
    assert settings.media_root == Path("/srv/media")
    assert open_store(settings) == FolderStore(Path("/srv/media"))


def test_a_bucket_is_read_through_a_cache_below_the_data_directory(tmp_path: Path) -> None:
    store = open_store(with_url("s3://media-2026/calls/", data_dir=tmp_path))
    assert isinstance(store, BucketStore)
    assert (store.shown, store.cache.root) == ("s3://media-2026/calls", tmp_path / "cache/media")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "media",
            "./media",
            "file://host/share",
            "file://media",
            "FILE:",
            "http://host/media",
        ),
        *("s3://", "s3://b", "s3://bucket/../x", "s3://bucket//x", "s3://key:secret@bucket/x"),
        *("s3://bucket/x?sig=secret", "memory://media", "simplecache::s3://bucket/x"),
        *("/srv/\nmedia", "s3://bucket/\u202ex", "s3://bucket/a b"),
    ],
)
def test_what_names_no_store_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"storage\.url") as caught:
        with_url(url)
    assert "secret" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_staged_bytes_lie_in_the_folder_of_the_url(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"bytes")
    settings = with_url(str(tmp_path / "shared"))
    audio = stage(tmp_path / "a.wav", open_store(settings))
    assert (tmp_path / "shared" / audio.key).read_bytes() == b"bytes"


def test_the_roles_of_an_embedded_stack_use_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_url("s3://media-2026", data_dir=tmp_path)
    for name, value in settings_env(settings).items():
        monkeypatch.setenv(name, value)
    assert open_store(load_settings(_env_file=None)) is open_store(settings)
