"""Engines are found by entry point; a broken plug-in is listed as broken, never fatal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.catalogue import choose_engines
from engine_workers.catalogue import describe, engine_names, find_engine
from engine_workers.cli.engines import list_ as list_engines
from engine_workers.errors import NotInstalledError
from schemas.engines import EngineStatus
from schemas.settings import load_settings

EXAMPLE = Path(__file__).parents[1] / "examples" / "my_shout" / "my_shout.py"
ENGINE = """
from engine_workers.engines.base import Engine, EngineInfo

class Good(Engine):
    info = EngineInfo(name="{name}")
    def load(self): ...
    def transcribe(self, audio): yield self.segment(0.0, 1.0, "hm")
"""

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a module with one entry point, for this test alone."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(package: str, entry_point: str, code: str) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        monkeypatch.delitem(sys.modules, module, raising=False)
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[chordscribe.engines]\n{entry_point}\n")

    return add


def status(name: str) -> EngineStatus:
    """Return what the catalogue says of one engine."""
    found = {entry.name: entry for entry in describe(load_settings(_env_file=None))}
    assert found["fake"].problem is None, "the others are not disturbed"
    return found[name]


def test_our_own_engines_are_listed() -> None:
    assert {"fake", "faster_whisper", "moonshine"} <= set(engine_names())
    assert status("fake").testing
    assert status("fake").package == "chordscribe"


def test_the_example_of_a_third_party_is_an_engine(install: Install) -> None:
    install("my-shout", "shout = my_shout:Shout", EXAMPLE.read_text())
    assert status("shout") == EngineStatus(
        name="shout", installed=True, package="my-shout", languages=("en",), devices=("cpu",)
    )


def test_an_engine_that_is_not_for_everybody_is_asked_by_name_alone(install: Install) -> None:
    code = ENGINE.format(name="{0}").replace('name="{0}"', 'name="{0}"{1}')
    install("one", "good = one:Good", code.format("good", ""))
    install("two", "odd = two:Good", code.format("odd", ", by_default=False"))
    settings = load_settings(_env_file=None)
    chosen = choose_engines(settings, [])
    assert "good" in chosen
    assert not {"odd", "fake", "pocketsphinx"} & set(chosen)
    assert choose_engines(settings, ["odd"]) == ("odd",)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("import a_library_that_nobody_has", "ModuleNotFoundError"),
        ("def (", "SyntaxError"),
        ("", "AttributeError"),
        ("Good = 7", "no subclass"),
        ("from engine_workers.engines.base import Engine\nclass Good(Engine): ...", "EngineInfo"),
        (ENGINE.format(name="another"), "calls itself 'another'"),
        (ENGINE.format(name="good").replace("load", "lode"), "abstract"),
    ],
)
def test_a_broken_plug_in_is_listed_with_the_reason(
    install: Install, code: str, reason: str
) -> None:
    install("broken", "good = broken:Good", code)
    found = status("good")
    assert found.package == "broken"
    assert found.problem is not None
    assert reason in found.problem


def test_what_an_engine_lacks_is_told_with_the_command(install: Install) -> None:
    code = ENGINE.format(name="good").replace(
        'name="good"', 'name="good", requires=("no_such", "no.such.thing"), install="good[all]"'
    )
    install("lacking", "good = lacking:Good", code)
    found = status("good")
    assert not found.installed
    assert found.problem == "no_such, no.such.thing is missing: pip install 'good[all]'"


def test_one_name_from_two_packages_is_neither(install: Install) -> None:
    install("one", "good = one:Good", ENGINE.format(name="good"))
    install("two", "good = two:Good", ENGINE.format(name="good"))
    problem = status("good").problem
    assert problem is not None
    assert "one and two" in problem


def test_a_name_that_no_queue_can_have_is_refused(install: Install) -> None:
    install("odd", "Good Engine = odd:Good", ENGINE.format(name="Good Engine"))
    problem = status("Good Engine").problem
    assert problem is not None
    assert "no engine's name" in problem
    assert "Good Engine" not in engine_names()


def test_an_engine_that_nobody_brings_is_not_installed() -> None:
    with pytest.raises(NotInstalledError, match="no installed package"):
        find_engine("shazam")


def test_describing_the_engines_loads_no_engine_library() -> None:
    program = (
        "import sys\n"
        "from engine_workers.catalogue import describe\n"
        "from schemas.settings import load_settings\n"
        "assert describe(load_settings(_env_file=None))\n"
        "heavy = {'faster_whisper', 'ctranslate2', 'moonshine_voice', 'torch', 'av', 'celery'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_command_lists_them_as_a_table_and_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHORDSCRIBE_ENGINES__FAKE__FAIL", "spectacularly")
    list_engines()
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    (line,) = (line for line in shown.splitlines() if line.startswith("fake"))
    assert "the engine fake was given wrong options: fail" in line
    list_engines(as_json=True)
    listed = json.loads(capsys.readouterr().out)["engines"]
    assert [EngineStatus.model_validate(entry).name for entry in listed] == list(engine_names())


def engines_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call `chordscribe engines` with these variables."""
    return subprocess.run(
        [sys.executable, "-m", "coordinator.cli.main", "engines", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_measures_an_engine_and_show_remembers(tmp_path: Path) -> None:
    folder = {"CHORDSCRIBE_MODELS_DIR": str(tmp_path)}
    done = engines_command("check", "fake", "--json", **folder)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["memory_bytes"] > 10**7
    assert 0 <= measured["rtf"] < 1
    shown = json.loads(engines_command("show", "fake", "--json", **folder).stdout)
    assert shown["measured"] == measured
    assert shown["testing"]
    assert "real time" in engines_command("show", "fake", **folder).stdout


def test_check_says_why_an_engine_does_not_work(tmp_path: Path) -> None:
    folder = {"CHORDSCRIBE_MODELS_DIR": str(tmp_path)}
    for name, more, why in (
        ("shazam", {}, "there is no engine 'shazam'"),
        ("fake", {"CHORDSCRIBE_ENGINES__FAKE__FAIL": "engine_error"}, "asked to fail"),
        ("fake", {"CHORDSCRIBE_ENGINES__FAKE__FAIL": "worker_lost"}, "exit -9"),
        ("fake", {"CHORDSCRIBE_ENGINES__FAKE__WORDS_PER_SECOND": "x"}, "words_per_second"),
    ):
        done = engines_command("check", name, **folder, **more)
        assert done.returncode == 1
        assert why in done.stderr
        assert "Traceback" not in done.stderr


def test_the_example_is_what_the_design_prints() -> None:
    text = EXAMPLE.read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 7
