"""`./run` makes its environment once, mends it, and hands the caller's arguments on untouched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.tools.sizes import ROOT

#: Seconds that a set-up of a project without requirements may take.
TIMEOUT_SECONDS = 60

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "chordscribe"
version = "1"
[project.optional-dependencies]
demo = []
dev = []
"""
BACKEND = """
import pathlib, zipfile
INFO = "chordscribe-1.dist-info/"
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "chordscribe-1-py3-none-any.whl"
    files = {
        INFO + "METADATA": "Metadata-Version: 2.1\\nName: chordscribe\\nVersion: 1\\n"
            "Provides-Extra: demo\\nProvides-Extra: dev\\n",
        INFO + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        INFO + "entry_points.txt": "[console_scripts]\\nchordscribe = product:main\\n",
        "chordscribe.pth": str(pathlib.Path.cwd()) + "\\n",
    }
    files[INFO + "RECORD"] = "".join(f"{file},,\\n" for file in [*files, INFO + "RECORD"])
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return name
"""
PRODUCT = """
import json, os, sys
def main():
    print(json.dumps({
        "arguments": sys.argv[1:],
        "folder": os.getcwd(),
        "prefix": sys.prefix,
        "environment": dict(os.environ),
    }))
"""


class Checkout:
    """A checkout of a project that has our `./run` and requires nothing."""

    def __init__(self, root: Path) -> None:
        """Write the project's files to `root`."""
        self.root = root
        self.venv = root / ".venv"
        self.stamp = self.venv / "setup.stamp"
        (root / "ops").mkdir(parents=True)
        for file in ("run", "ops/environment.sh"):
            shutil.copy(ROOT / file, root / file)
        for file, text in {
            "pyproject.toml": PYPROJECT,
            "constraints.txt": "",
            "backend.py": BACKEND,
            "product.py": PRODUCT,
        }.items():
            (root / file).write_text(text, encoding="utf-8")

    def run(
        self, *arguments: str, script: Path | None = None, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Call `./run` as a user would, with `more` variables in the environment."""
        here = Path(sys.executable).parent
        return subprocess.run(
            [script or self.root / "run", *arguments],
            cwd=cwd or self.root,
            env={"PATH": f"{here}:{os.defpath}", "HOME": str(self.root), "UV_OFFLINE": "1"} | more,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )


def _said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Return a checkout whose path has a space."""
    return Checkout(tmp_path / "a checkout")


def test_the_first_call_makes_the_environment_and_the_next_only_uses_it(
    checkout: Checkout,
) -> None:
    first = checkout.run("submit", "two words", "*", "--flag")
    assert _said(first)["arguments"] == ["submit", "two words", "*", "--flag"]
    assert _said(first)["prefix"] == str(checkout.venv)
    assert first.stderr.startswith("chordscribe: setting up .venv (python 3.")
    assert len(first.stderr.splitlines()) == 1
    second = checkout.run("submit")
    assert _said(second)["arguments"] == ["submit"]
    assert second.stderr == ""


def test_a_change_of_the_lock_is_followed_once(checkout: Checkout) -> None:
    checkout.run("status")
    (checkout.root / "constraints.txt").write_text("six==1.17.0\n", encoding="utf-8")
    assert "updating" in checkout.run("status").stderr
    assert checkout.run("status").stderr == ""


def test_an_environment_left_half_made_is_made_anew(checkout: Checkout) -> None:
    checkout.run("status")
    checkout.stamp.unlink()
    rubbish = checkout.venv / "lib" / "rubbish"
    rubbish.touch()
    assert "setting up" in checkout.run("status").stderr
    assert checkout.stamp.exists()
    assert not rubbish.exists()


def test_an_environment_whose_python_went_away_is_made_anew(checkout: Checkout) -> None:
    checkout.run("status")
    python = checkout.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    again = checkout.run("status")
    assert "setting up" in again.stderr
    assert _said(again)["arguments"] == ["status"]


def test_a_checkout_that_moved_works_at_its_new_place(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("status")
    moved = tmp_path / "elsewhere"
    checkout.root.rename(moved)
    said = _said(checkout.run("status", script=moved / "run", cwd=tmp_path))
    assert said["prefix"] == str(moved / ".venv")


def test_two_first_calls_make_one_environment(checkout: Checkout) -> None:
    with ThreadPoolExecutor() as pool:
        calls = list(pool.map(checkout.run, ("status", "list")))
    assert [_said(call)["arguments"] for call in calls] == [["status"], ["list"]]
    assert sum("setting up .venv (" in call.stderr for call in calls) == 1


def test_more_engines_are_added_to_the_environment(checkout: Checkout) -> None:
    assert checkout.run("add").returncode == 1
    checkout.run("--help")
    done = checkout.run("add", "extra")
    assert done.returncode == 0, done.stderr
    assert "adding extra" in done.stderr
    log = (checkout.venv / "setup.log").read_text(encoding="utf-8")
    assert "torch" not in log, "it is for FunASR alone"
    refused = checkout.run("add", "no extra;")
    assert refused.returncode == 1
    assert "is no extra" in refused.stderr


def test_the_lock_of_a_killed_call_does_not_stop_the_next(checkout: Checkout) -> None:
    lock = checkout.venv / "setup.lock"
    lock.mkdir(parents=True)
    with subprocess.Popen(["/bin/sh", "-c", ":"]) as gone:
        pass
    (lock / "owner").write_text(f"{gone.pid} 1\n", encoding="utf-8")
    assert _said(checkout.run("status"))["arguments"] == ["status"]
    assert not lock.exists()


def test_it_works_through_links_from_anywhere(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    inner, outer = tmp_path / "links" / "inner", tmp_path / "outer one"
    inner.symlink_to(Path("..") / checkout.root.name / "run")
    outer.symlink_to(Path("links") / "inner")
    said = _said(checkout.run("status", script=outer, cwd=Path("/")))
    assert said["prefix"] == str(checkout.venv)
    assert said["folder"] == "/"


def test_the_callers_python_settings_do_not_reach_in(checkout: Checkout) -> None:
    said = _said(
        checkout.run(
            "status",
            PYTHONPATH="/nonsense",
            PYTHONHOME="/nowhere",
            VIRTUAL_ENV="/another",
            PIP_TARGET="/nowhere/target",
            PIP_USER="1",
            UV_SYSTEM_PYTHON="1",
        )
    )
    assert said["prefix"] == str(checkout.venv)
    assert not {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"} & set(said["environment"])


def test_the_environment_can_lie_elsewhere(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "my venv"
    said = _said(checkout.run("status", CHORDSCRIBE_VENV=str(elsewhere)))
    assert said["prefix"] == str(elsewhere)
    assert not checkout.venv.exists()


def test_a_folder_with_other_things_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "lib").mkdir(parents=True)
    done = checkout.run("status", CHORDSCRIBE_VENV=str(mine))
    assert done.returncode == 1
    assert "neither empty nor a Python environment" in done.stderr
    assert [path.name for path in mine.iterdir()] == ["lib"]


def test_without_a_python_one_error_says_what_to_install(
    checkout: Checkout, tmp_path: Path
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "cat", "cksum", "ls", "mkdir", "rm", "sleep"):
        (tools / tool).symlink_to(str(shutil.which(tool, path=os.defpath)))
    for python, answer in {"python3.12": "exit 127", "python3": "echo 3.9; exit 1"}.items():
        (tools / python).write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
        (tools / python).chmod(0o755)
    done = checkout.run("status", PATH=str(tools))
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "python3 is 3.9" in done.stderr
    assert "python3.12" not in done.stderr
    assert done.stdout == ""


def test_help_needs_no_environment(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0
    assert "./run transcribe" in done.stdout
    assert not checkout.venv.exists()
