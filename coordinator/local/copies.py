"""Copies server binaries to where the servers' user can reach them."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def copied(tree: Path, parts: Sequence[str], into: Path) -> Path:
    """Return a copy of `parts` of `tree` below `into` that everybody can read.

    A copy is made once for each place and version (its name tells them by the first part's
    path, size and time), completely or not at all. Parts that are not there are left out.
    """
    first = (tree / parts[0]).stat()
    mark = f"{tree}\0{parts[0]}\0{first.st_size}\0{first.st_mtime_ns}"
    target = into / hashlib.sha256(mark.encode(errors="surrogateescape")).hexdigest()[:12]
    if target.exists():
        return target
    making = target.with_suffix(".new")
    shutil.rmtree(making, ignore_errors=True)
    for part in parts:
        source = tree / part
        (making / part).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, making / part)
        elif source.exists():
            shutil.copy2(source, making / part)
    for path in (into, making, *making.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        if not path.is_dir() and path.stat().st_mode & 0o100:
            path.chmod(path.stat().st_mode | 0o011)
    making.rename(target)
    return target
