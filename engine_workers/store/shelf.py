"""Puts models into the models directory, looks after them, takes them out again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine_workers.errors import ModelAlteredError, ModelMissingError, ModelStoreError
from engine_workers.store.hubs import fetch, forget
from engine_workers.store.lock import Hub, LockedModel, changing, read_lock, sums, verify

#: What a model's folder may be called: no path, nothing hidden.
NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}")


@dataclass(frozen=True)
class Shelved:
    """A model in the models directory."""

    name: str
    folder: Path
    #: Where it came from; None: it was put there by hand.
    locked: LockedModel | None


def shelved(root: Path) -> Iterator[Shelved]:
    """Yield the models, those that are locked but gone too, by name.

    Raises:
        ModelStoreError: the lock file cannot be read.
    """
    locked = read_lock(root).models
    there = {path.name for path in root.iterdir()} if root.is_dir() else set()
    for name in sorted(locked.keys() | {name for name in there if NAME.fullmatch(name)}):
        folder = root / name
        if name in locked or folder.is_dir():
            yield Shelved(name, folder, locked.get(name))


def pull(
    root: Path,
    repository: str,
    *,
    hub: Hub = "huggingface",
    revision: str | None = None,
    name: str | None = None,
    only: Sequence[str] = (),
) -> Shelved:
    """Bring a model from a hub, link it into the directory, lock the sums of its files.

    Raises:
        ModelStoreError: the hub has no such model, or the name is another's.
        NotInstalledError: the hub's library is not here.
    """
    name = name or repository.rpartition("/")[2]
    if not NAME.fullmatch(name):
        message = f"'{name}' is no name for a model's folder: letters, digits and . _ + - only"
        raise ModelStoreError(message)
    link = root / name
    before = read_lock(root).models.get(name)
    foreign = before is not None and (before.hub, before.repository) != (hub, repository)
    if foreign or (before is None and (link.exists() or link.is_symlink())):
        message = f"there is another model '{name}' in '{root}': remove it, or give a --name"
        raise ModelStoreError(message)
    folder, found = fetch(hub, repository, revision, only)
    model = LockedModel(hub=hub, repository=repository, revision=found, files=sums(folder))
    if not model.files:
        message = f"{hub} gave no file of '{repository}'"
        raise ModelStoreError(message)
    with changing(root) as models:
        new = root / f".{name}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(folder.absolute())
        new.replace(link)
        models[name] = model
    return Shelved(name, link, model)


def check(root: Path, name: str) -> Shelved:
    """Return a model whose files are all as they were when it came.

    Raises:
        ModelMissingError: there is no such model, or it was never locked.
        ModelAlteredError: a file is missing or altered.
    """
    found = next((model for model in shelved(root) if model.name == name), None)
    if found is None:
        message = f"there is no model '{name}' in '{root}'; `chordscribe models list` shows them"
        raise ModelMissingError(message)
    if found.locked is None:
        message = f"the model '{name}' was put there by hand: nothing is known to compare it with"
        raise ModelMissingError(message)
    verify(found.folder, found.locked)
    return found


def check_folder(root: Path, folder: Path) -> None:
    """Verify a folder, if it is that of a locked model; others are the operator's own.

    Raises:
        ModelAlteredError: a file is missing or altered.
        ModelStoreError: the lock file cannot be read.
    """
    if folder.parent == root.absolute():
        locked = read_lock(root).models.get(folder.name)
        if locked is not None:
            verify(folder, locked)


def remove(root: Path, name: str) -> Shelved:
    """Take a model that was pulled out of the directory, and free the hub's cache of it.

    Raises:
        ModelMissingError: there is no such model.
        ModelStoreError: it was put there by hand.
    """
    try:
        found = check(root, name)
    except ModelAlteredError:
        found = Shelved(name, root / name, read_lock(root).models[name])
    except ModelMissingError as error:
        if (root / name).is_dir() and NAME.fullmatch(name):
            message = f"the model '{name}' was put there by hand: remove '{root / name}' by hand"
            raise ModelStoreError(message) from error
        raise
    target = Path(os.path.realpath(found.folder))
    with changing(root) as models:
        locked = models.pop(name)
        if found.folder.is_symlink():
            found.folder.unlink()
        others = (Path(os.path.realpath(root / other)) for other in models)
        if target.is_dir() and target not in others:
            forget(locked.hub, target)
    return found
