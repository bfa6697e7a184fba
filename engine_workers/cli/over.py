"""Does the same to several files, one after another; what fails for one is told of that one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from engine_workers.errors import BadMediaError
from schemas.errors import ChordscribeError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

Result = TypeVar("Result")
#: Exit codes.
FAILED, PARTLY = 1, 3


def over(
    files: Iterable[Path], work: Callable[[Path], Result]
) -> Iterator[tuple[Path, Result | ChordscribeError]]:
    """Yield each file with what `work` returned, or with what was wrong with it."""
    for file in files:
        try:
            yield file, work(file)
        except MemoryError as error:
            yield file, BadMediaError(str(error))
        except ChordscribeError as error:
            yield file, error


def complain(file: Path, error: ChordscribeError) -> None:
    """Say on stderr what is wrong with a file."""
    name = str(file) if str(file).isprintable() else repr(str(file))
    print(f"chordscribe: '{name}': {error}", file=sys.stderr)


def exit_code(results: Collection[object]) -> int:
    """Return 0 where all went well, 1 where nothing did, 3 otherwise."""
    failed = sum(isinstance(result, ChordscribeError) for result in results)
    if not failed:
        return 0
    return FAILED if failed == len(results) else PARTLY
