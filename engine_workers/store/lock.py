"""The lock file of the models directory: where each model came from, and the sums of its files."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from engine_workers.errors import ModelAlteredError, ModelStoreError
from schemas.base import Contract

#: The file, in the models directory.
LOCK_FILE = "models.lock.json"

Hub = Literal["huggingface", "modelscope"]


class LockedFile(Contract):
    """What a file was when it came."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class LockedModel(Contract):
    """A model that was pulled."""

    hub: Hub
    #: `OWNER/NAME` there.
    repository: str
    #: The commit, where the hub tells it; else the branch or tag that was asked for.
    revision: str
    #: By path in the model's folder.
    files: dict[str, LockedFile]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files.values())


class Lock(Contract):
    """All models that were pulled, by the names of their folders."""

    version: Literal[1] = 1
    models: dict[str, LockedModel] = Field(default_factory=dict)


def read_lock(root: Path) -> Lock:
    """Return what the lock file says; a directory without one has locked nothing.

    Raises:
        ModelStoreError: it cannot be read.
    """
    path = root / LOCK_FILE
    try:
        return Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Lock()
    except (OSError, ValidationError) as error:
        message = f"the lock file '{path}' cannot be read: {error}"
        raise ModelStoreError(message) from error


@contextmanager
def changing(root: Path) -> Iterator[dict[str, LockedModel]]:
    """Yield the locked models to be changed; they are written at the end, whole or not at all.

    Raises:
        ModelStoreError: the directory cannot be written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / f".{LOCK_FILE}.guard").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            models = dict(read_lock(root).models)
            yield models
            new = root / f".{LOCK_FILE}.new"
            new.write_text(Lock(models=models).model_dump_json(indent=2) + "\n", encoding="utf-8")
            new.replace(root / LOCK_FILE)
    except OSError as error:
        message = f"the models directory '{root}' cannot be written to: {error}"
        raise ModelStoreError(message) from error


def sums(folder: Path) -> dict[str, LockedFile]:
    """Return what each file of a folder is; hidden ones are the hubs' own.

    Raises:
        OSError: one cannot be read.
    """
    found: dict[str, LockedFile] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            found[name.as_posix()] = _sum(path)
    return found


def verify(folder: Path, locked: LockedModel) -> None:
    """Look whether every file is what it was when the model was pulled.

    Raises:
        ModelAlteredError: one is missing or altered; the message names it.
    """
    again = (
        f"`chordscribe models pull {locked.repository} --from {locked.hub} "
        f"--name {folder.name}` brings it anew"
    )
    for name, file in locked.files.items():
        path = folder / name
        try:
            same = path.stat().st_size == file.bytes and _sum(path) == file
        except OSError as error:
            message = f"the model '{folder.name}' lacks its file {name}: {again}"
            raise ModelAlteredError(message) from error
        if not same:
            message = f"the file {name} of the model '{folder.name}' was altered: {again}"
            raise ModelAlteredError(message)


def _sum(path: Path) -> LockedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return LockedFile(sha256=digest, bytes=os.fstat(file.fileno()).st_size)
