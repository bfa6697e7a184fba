"""The product keeps its promises, whatever dies: the short form of each fault test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tests.chaos.cases
from tests.chaos.lab import CASES, Lab, UnfitMachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

assert tests.chaos.cases.__doc__  # imported for what it adds to CASES


#: The unit of figures that compare two times: they need a quiet machine, so `./run chaos` judges
#: them and a test does not.
RATIO = "×"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(quick=True) as made:
        yield made


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if case.quick])
def test_the_product_survives(lab: Lab, name: str) -> None:
    try:
        figures = CASES[name].run(lab)
    except UnfitMachineError as reason:
        pytest.skip(str(reason))
    except BaseException:
        lab.give_up_shared()
        raise
    missed = [figure for figure in figures if figure.met is False]
    assert not [figure for figure in missed if figure.unit != RATIO]
