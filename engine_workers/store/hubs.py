"""Brings a model's files from a hub into the hub's own cache on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from engine_workers.errors import ModelStoreError, NotInstalledError
from engine_workers.store.lock import Hub

#: The branch that a hub takes when none is named.
DEFAULT_BRANCHES: dict[Hub, str] = {"huggingface": "main", "modelscope": "master"}


def fetch(
    hub: Hub, repository: str, revision: str | None, only: Sequence[str] = ()
) -> tuple[Path, str]:
    """Return the folder in the cache with all files, or those that match `only`, and the revision.

    Raises:
        NotInstalledError: the hub's library is not here.
        ModelStoreError: the hub does not answer, or has no such model or revision.
    """
    asked = revision or DEFAULT_BRANCHES[hub]
    try:
        if hub == "huggingface":
            return _from_hugging_face(repository, asked, only)
        return _from_model_scope(repository, asked, only), asked
    except ImportError as error:
        message = f"{error.name} is missing: pip install 'chordscribe[models]'"
        raise NotInstalledError(message) from error
    except Exception as error:  # each library has many errors of its own
        reason = " ".join(str(error).split())[:300]
        message = f"{hub} gave no model '{repository}' at {asked}: {reason}"
        raise ModelStoreError(message) from error


def _from_hugging_face(repository: str, revision: str, only: Sequence[str]) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  # heavy: only where it works

    folder = Path(
        snapshot_download(repository, revision=revision, allow_patterns=list(only) or None)
    )
    return folder, folder.name  # the cache's folders are named by commits


def _from_model_scope(repository: str, revision: str, only: Sequence[str]) -> Path:
    from modelscope_hub import HubApi  # noqa: PLC0415  # heavy: only where it works

    return Path(
        HubApi().download_repo(
            repository, "model", revision=revision, allow_patterns=list(only) or None
        )
    )


def forget(hub: Hub, folder: Path) -> None:
    """Free what the cache keeps of a model at one revision.

    Raises:
        OSError: it cannot be removed.
    """
    if hub == "huggingface":
        from huggingface_hub import scan_cache_dir  # noqa: PLC0415  # heavy: only where it works

        scan_cache_dir(folder.parents[2]).delete_revisions(folder.name).execute()
        return
    shutil.rmtree(folder)
