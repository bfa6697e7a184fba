"""The lock covers every requirement by an exact version and names no place."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tools.sizes import ROOT

PINS = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
REQUIRED = sorted(
    {
        text
        for text in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
        if Requirement(text).name != PROJECT["name"]
    }
)


@pytest.mark.parametrize("text", REQUIRED)
def test_the_lock_pins_a_version_that_the_project_accepts(text: str) -> None:
    wanted = Requirement(text)
    pinned = [
        next(iter(pin.specifier)).version
        for pin in map(Requirement, PINS)
        if canonicalize_name(pin.name) == canonicalize_name(wanted.name)
    ]
    assert pinned, f"{wanted.name} is not in constraints.txt: run ./run lock"
    for version in pinned:
        assert wanted.specifier.contains(version, prereleases=True), (
            f"constraints.txt has {wanted.name} {version}: run ./run lock"
        )


def test_each_line_of_the_lock_is_a_name_and_an_exact_version() -> None:
    for pin in map(Requirement, PINS):
        assert pin.url is None
        assert not pin.extras, "pip refuses extras in constraints"
        assert [specifier.operator for specifier in pin.specifier] == ["=="], pin


def test_the_lock_names_no_address_no_hash_no_path() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|--|sha256|^\s*#.*\s/[a-z]+/", text, re.MULTILINE)


def test_torch_is_left_to_the_machine() -> None:
    assert not [pin for pin in PINS if canonicalize_name(Requirement(pin).name) == "torch"]
