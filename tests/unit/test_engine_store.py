"""Models come from a hub once, are compared with what they were at each load, and can go again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from engine_workers.engines.base import Audio, Engine, EngineInfo
from engine_workers.engines.moonshine import MoonshineOptions
from engine_workers.errors import ModelAlteredError, ModelMissingError, ModelStoreError
from engine_workers.store.lock import LOCK_FILE
from engine_workers.store.places import Models
from engine_workers.store.shelf import check, pull, remove, shelved

pytest.importorskip("huggingface_hub", reason="needs the extra 'models'")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b'{"a": 1}', "sub/model.bin": b"weights" * 1000, "README.md": b"read me"}


class HubHandler(BaseHTTPRequestHandler):
    """Answers what the hub's library asks for one repository, `someone/tiny`."""

    def do_GET(self) -> None:
        """Answer with a file, or with what is known of the repository."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with a file's headers."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = urlparse(self.path).path
        resolve = "/someone/tiny/resolve/"
        if path.startswith("/api/models/someone/tiny"):
            content = json.dumps(self._facts(path)).encode()
            self._send(content, "application/json", body=body)
        elif path.startswith(resolve):
            name = path.removeprefix(resolve).partition("/")[2]
            self._send(FILES[name], "application/octet-stream", body=body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _facts(self, path: str) -> Any:  # noqa: ANN401  # as JSON is
        if "/tree/" in path:
            return [
                {"type": "file", "path": name, "size": len(data), "oid": _etag(data)}
                for name, data in FILES.items()
            ]
        return {
            "id": "someone/tiny",
            "sha": COMMIT,
            "siblings": [{"rfilename": name} for name in FILES],
        }

    def _send(self, content: bytes, kind: str, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{_etag(content)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Say nothing."""


def _etag(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """Serve a hub on this machine; return its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def command(hub: str, tmp_path: Path) -> Any:  # noqa: ANN401  # a function with keywords
    """Return a function that calls `chordscribe models` with that hub and an empty folder."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "coordinator.cli.main", "models", *arguments],
            env={
                **os.environ,
                "HF_ENDPOINT": hub,
                "HF_HUB_OFFLINE": "0",
                "HF_HOME": str(tmp_path / "cache"),
                "CHORDSCRIBE_MODELS_DIR": str(tmp_path / "models"),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def test_the_commands_pull_list_verify_and_remove(command: Any, tmp_path: Path) -> None:  # noqa: ANN401
    done = command("pull", "someone/tiny", "--name", "mine", "--json")
    assert done.returncode == 0, done.stderr
    pulled = json.loads(done.stdout)
    assert pulled["locked"]["revision"] == COMMIT
    assert {name: file["sha256"] for name, file in pulled["locked"]["files"].items()} == {
        name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()
    }
    root = tmp_path / "models"
    assert (root / "mine" / "sub" / "model.bin").read_bytes() == FILES["sub/model.bin"]
    assert json.loads(command("list", "--json").stdout)["models"] == [pulled]
    assert "someone/tiny" in command("list").stdout
    assert command("verify").stdout == "mine: as it came\n"

    weights = root / "mine" / "sub" / "model.bin"
    altered = bytearray(FILES["sub/model.bin"])
    altered[3] ^= 1
    Path(os.path.realpath(weights)).write_bytes(altered)
    done = command("verify", "mine")
    assert done.returncode == 1
    assert "the file sub/model.bin of the model 'mine' was altered" in done.stdout
    with pytest.raises(ModelAlteredError, match=r"models pull someone/tiny .*--name mine"):
        check(root, "mine")

    assert command("remove", "mine").returncode == 0
    assert list(shelved(root)) == []
    assert not list((tmp_path / "cache").rglob("model.bin"))
    assert command("remove", "mine").returncode == 1


def test_what_a_hub_does_not_have_is_told(command: Any) -> None:  # noqa: ANN401
    done = command("pull", "someone/else")
    assert done.returncode == 1
    assert "huggingface gave no model 'someone/else' at main" in done.stderr
    assert "Traceback" not in done.stderr


def at_hand(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a model into the cache of a hub that answers at once; return where it lies."""
    folder = root.parent / "cache" / "snapshots" / COMMIT
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    monkeypatch.setattr("engine_workers.store.shelf.fetch", lambda *_: (folder, COMMIT))
    return folder


class Reader(Engine):
    """Needs a model, and reads it."""

    info = EngineInfo(name="reader")
    Options = MoonshineOptions

    def load(self) -> None:
        """Read nothing: that it comes so far is what counts."""

    def transcribe(self, audio: Audio) -> Any:  # noqa: ANN401  # never called
        """Hear nothing."""
        raise NotImplementedError


def test_a_worker_loads_no_model_that_was_altered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine_workers.models import LoadedEngine  # noqa: PLC0415  # beside what is replaced

    monkeypatch.setattr("engine_workers.models.find_engine", lambda _: Reader)
    folder = at_hand(tmp_path / "models", monkeypatch)
    models = Models(tmp_path / "models")
    pull(tmp_path / "models", "someone/tiny")
    for asked in ({"model": "tiny"}, {"model": str(tmp_path / "models" / "tiny")}):
        assert LoadedEngine().get("reader", {}, asked, models).options.model == str(
            tmp_path / "models" / "tiny"
        )
    (folder / "config.json").unlink()
    with pytest.raises(ModelAlteredError, match=r"'tiny' lacks its file config\.json"):
        LoadedEngine().get("reader", {"model": "tiny"}, {}, models)


def test_a_worker_pulls_only_when_it_was_told_to_and_only_what_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "models"
    at_hand(root, monkeypatch)
    assert Models(root).configured("someone/tiny") == "someone/tiny"
    assert not root.exists()
    told = Models(root, pulls=True)
    assert told.asked("someone/tiny") == "someone/tiny", "a request cannot make it download"
    assert told.configured("someone/tiny") == str(root / "tiny")
    monkeypatch.setattr("engine_workers.store.shelf.fetch", None)
    assert told.configured("someone/tiny") == str(root / "tiny"), "once is enough"


def test_a_name_is_given_once_and_a_folder_of_ones_own_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "models"
    at_hand(root, monkeypatch)
    pull(root, "someone/tiny")
    pull(root, "someone/tiny")
    with pytest.raises(ModelStoreError, match="another model 'tiny'"):
        pull(root, "other/tiny")
    (root / "own").mkdir()
    assert [(model.name, model.locked is None) for model in shelved(root)] == [
        ("own", True),
        ("tiny", False),
    ]
    with pytest.raises(ModelStoreError, match="by hand"):
        remove(root, "own")
    with pytest.raises(ModelMissingError, match="nothing is known"):
        check(root, "own")
    for name in ("../x", ".hidden", "a/b", ""):
        with pytest.raises(ModelMissingError):
            check(root, name or "nothing")
        with pytest.raises(ModelStoreError, match="no name"):
            pull(root, "someone/tiny", name=name or "/")


def test_a_spoiled_lock_file_is_named(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("{")
    with pytest.raises(ModelStoreError, match=LOCK_FILE):
        list(shelved(tmp_path))
