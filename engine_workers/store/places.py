"""Turns what an option calls a model into the model's folder, or into a name for the engine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine_workers.errors import UnsupportedError
from engine_workers.store.shelf import check_folder, pull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine_workers.engines.base import Engine
    from schemas.base import Contract

#: What no model's name begins with, but a path may.
PATH_MARKS = ("/", "~", ".")


@dataclass(frozen=True)
class Models:
    """The models directory of this machine."""

    #: The directory; None: there is none, so requests can only use names.
    root: Path | None = None
    #: Whether a model that is configured as `OWNER/NAME` is pulled when it is not there.
    pulls: bool = False

    def place(
        self, engine: type[Engine], configured: Mapping[str, Any], asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return all options, those `asked` for first, with folders in the place of models.

        Raises:
            UnsupportedError: a request names a folder outside of the models directory.
            ModelStoreError: a model that is to be pulled is not to be had.
        """
        merged = {**configured, **asked}
        for option in engine.info.model_options:
            value = merged.get(option)
            if isinstance(value, str) and value:
                merged[option] = self.asked(value) if option in asked else self.configured(value)
        return merged

    def asked(self, model: str) -> str:
        """Return the folder, or the name, that a request may use.

        Raises:
            UnsupportedError: it lies outside of the models directory.
        """
        if not _is_path(model):
            return str(self._inside(model) or model)
        if self.root is not None:
            # By its letters alone: what the operator links to from the directory is meant.
            path = Path(os.path.normpath(model))
            if path.is_absolute() and path.is_relative_to(self.root.absolute()):
                return str(path)
        where = f"'{self.root}'" if self.root else "the models directory"
        message = (
            f"a request cannot use the model '{model[:200]}': give the name of a model, or of a "
            f"folder in {where}; `chordscribe models list` shows them"
        )
        raise UnsupportedError(message)

    def configured(self, model: str) -> str:
        """Return the folder, or the name, that the operator means: any folder will do."""
        if not _is_path(model) and (found := self._inside(model)):
            return str(found)
        path = Path(model).expanduser()
        if _is_path(model) or path.is_dir():
            return str(path.absolute())
        if self.pulls and self.root is not None and model.count("/") == 1:
            found = self._inside(model.partition("/")[2])
            return str(found or pull(self.root, model).folder.absolute())
        return model

    def verify(self, engine: type[Engine], options: Contract) -> None:
        """Look whether the models that were pulled are still what they were.

        Raises:
            ModelAlteredError: a file is missing or altered.
            ModelStoreError: the lock file cannot be read.
        """
        for option in engine.info.model_options:
            value = getattr(options, option, None)
            if self.root is not None and isinstance(value, str):
                check_folder(self.root, Path(value))

    def _inside(self, name: str) -> Path | None:
        """Return the folder of that name in the directory, or None."""
        if self.root is None:
            return None
        path = self.root.absolute() / name
        return path if path.is_dir() or path.is_symlink() else None


def _is_path(model: str) -> bool:
    strange = "\\" in model or "\0" in model or "://" in model
    return strange or model.startswith(PATH_MARKS) or ".." in Path(model).parts
