"""A third party's engine is installed into a fresh environment and hears in the pipeline."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.tools.sizes import ROOT
from tests.unit.media_files import tone, wav

EXAMPLE = ROOT / "tests" / "examples" / "my_shout"


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Return the Python of a new environment that sees ours, with the example installed in it."""
    folder = tmp_path / "environment"
    venv.create(folder)
    paths = {"base": str(folder), "platbase": str(folder)}
    ours, own = sysconfig.get_path("purelib"), sysconfig.get_path("purelib", vars=paths)
    (Path(own) / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    done = subprocess.run(
        [*install, "--no-deps", "--no-build-isolation", str(EXAMPLE)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named pip" in done.stderr:
        pytest.skip("pip is not installed in the tests' environment")
    assert done.returncode == 0, done.stdout + done.stderr
    return python


def test_the_example_is_installed_and_hears(fresh: Path, reachable_tmp: Path) -> None:
    def chordscribe(*arguments: str) -> str:
        done = subprocess.run(
            [fresh, "-P", "-m", "coordinator.cli.main", *arguments],
            env={**os.environ, "CHORDSCRIBE_DATA_DIR": str(reachable_tmp / "data")},
            cwd=reachable_tmp,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = json.loads(chordscribe("engines", "show", "shout", "--json"))
    assert (shown["problem"], shown["package"]) == (None, "my-shout")
    assert "shout works" in chordscribe("engines", "check", "shout")
    recording = reachable_tmp / "tone.wav"
    recording.write_bytes(wav(tone(1.0)))
    said = json.loads(chordscribe("transcribe", str(recording), "--engines", "shout", "--json"))
    assert "HELLO" in json.dumps(said)


def test_the_documentation_shows_the_example_as_it_is() -> None:
    text = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    example = ast.parse((EXAMPLE / "my_shout.py").read_text(encoding="utf-8"))
    assert ast.dump(ast.parse(code)) == ast.dump(ast.Module(example.body[1:], []))
    project = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    entry = '[project.entry-points."chordscribe.engines"]\nshout = "my_shout:Shout"'
    assert entry in project
    assert entry in text
