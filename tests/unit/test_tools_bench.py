"""The benchmark command prints figures for people or one JSON object for programs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks.figures import Figure, at_least, at_most, informs
from tests.tools.sizes import ROOT

NOISY = """
import os, sys, types
from tests.benchmarks import __main__ as bench
from tests.benchmarks.figures import at_most
def main(quick):
    print("a library chats")
    os.system("echo a child chats")
    return [at_most("overhead", float(sys.argv[1]), 1.15, "×")]
module = types.ModuleType("tests.benchmarks.bench_noisy")
module.main = main
sys.modules[module.__name__] = module
bench.names = lambda: ["noisy"]
sys.exit(bench.main(["noisy", *sys.argv[2:]]))
"""


def _noisy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NOISY, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_a_bound_is_met_at_its_very_value() -> None:
    assert at_most("a", 1.15, 1.15).met
    assert at_least("a", 1.15, 1.15).met
    assert at_most("a", 1.16, 1.15).met is False
    assert at_least("a", float("nan"), 1.15).met is False


def test_json_is_one_object_with_every_field() -> None:
    figures = [at_most("time", 2.5, 3, "s"), informs("memory", float("inf"), "MiB")]
    assert json.loads(bench.as_json(figures)) == {
        "figures": [
            {"name": "time", "value": 2.5, "unit": "s", "target": "≤ 3", "met": True},
            {"name": "memory", "value": None, "unit": "MiB", "target": None, "met": None},
        ]
    }


def test_with_json_nothing_else_reaches_stdout() -> None:
    done = _noisy("1.1", "--json")
    assert done.returncode == 0, done.stderr
    [figure] = json.loads(done.stdout)["figures"]
    assert Figure(**figure) == at_most("overhead", 1.1, 1.15, "×")
    assert "a library chats" in done.stderr
    assert "a child chats" in done.stderr


def test_a_missed_target_is_marked_and_fails_the_command() -> None:
    done = _noisy("1.2")
    assert done.returncode == 1, done.stderr
    assert "NO" in done.stdout
    assert "1.2" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["no_such_benchmark"]])
def test_without_a_known_name_the_names_are_listed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(arguments)
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert ", ".join(bench.names()) in message
