"""Runs every check of the source, even when one fails: `./run check`."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.tools.sizes import ROOT

#: What a module runs as, since a console script's first line may name an older place.
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"

CHECKS = {
    "lint": ("-m", "ruff", "check", "--quiet", "--output-format=concise"),
    "format": ("-m", "ruff", "format", "--check", "--quiet", "--output-format=concise"),
    "types": ("-m", "mypy", "--no-error-summary"),
    "imports": ("-c", LINT_IMPORTS, "--no-logo"),
    "sizes": ("-m", "tests.tools.sizes"),
}


@dataclass(frozen=True)
class Result:
    """How one check went."""

    name: str
    passed: bool
    seconds: float
    output: str


def run(name: str) -> Result:
    """Run the check of that name in the repository."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *CHECKS[name]],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return Result(name, done.returncode == 0, time.monotonic() - began, done.stdout.strip())


def main(names: list[str]) -> int:
    """Run the checks of those names, or all; print each failure's output, then a line per check."""
    unknown = sorted(set(names) - set(CHECKS))
    if unknown:
        print(f"no such check: {', '.join(unknown)}; there are: {', '.join(CHECKS)}")
        return 2
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(run, names or CHECKS))
    for result in results:
        if not result.passed:
            print(f"{result.output}\n")
    for result in results:
        word = "passed" if result.passed else "FAILED"
        print(f"{result.name:8} {word}  {result.seconds:4.1f} s")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
