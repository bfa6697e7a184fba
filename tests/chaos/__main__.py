"""Runs the fault tests: `./run chaos [CASE…] [--quick] [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

import tests.chaos.cases
from tests.benchmarks.__main__ import output_to_stderr
from tests.benchmarks.figures import Figure
from tests.chaos.lab import CASES, REPRESENTATIVE, Case, Lab, UnfitMachineError

assert tests.chaos.cases.__doc__  # imported for what it adds to CASES


class Outcome:
    """How one case went."""

    def __init__(self, ran: Case) -> None:
        """Describe a case that has yet to run."""
        self.case = ran
        self.figures: list[Figure] = []
        self.problem = ""
        self.skipped = False
        self.seconds = 0.0

    @property
    def passed(self) -> bool:
        """Whether every bound and every invariant held."""
        return not self.problem and all(figure.met is not False for figure in self.figures)

    @property
    def word(self) -> str:
        """The outcome for the table."""
        if self.skipped:
            return "skipped"
        return "pass" if self.passed else "FAIL"


def run(wanted: Case, lab: Lab) -> Outcome:
    """Run one case; whatever goes wrong is told in its outcome."""
    outcome = Outcome(wanted)
    began = time.monotonic()
    try:
        outcome.figures = wanted.run(lab)
    except UnfitMachineError as reason:
        outcome.problem, outcome.skipped = str(reason), True
    except Exception as error:  # noqa: BLE001  # a case must not keep the next from running
        traceback.print_exc()
        outcome.problem = (str(error).strip() or type(error).__name__).splitlines()[0]
        lab.give_up_shared()
    outcome.seconds = time.monotonic() - began
    return outcome


def as_json(outcomes: list[Outcome]) -> str:
    """Return one JSON object with every figure, after one of each case: whether it passed."""
    rows: list[dict[str, object]] = []
    for outcome in outcomes:
        name, skipped = outcome.case.name, outcome.skipped
        passed = Figure(
            f"{name}: passed", float(outcome.passed), "", "= 1", None if skipped else outcome.passed
        )
        rows.append(asdict(passed))
        rows += [asdict(figure) | {"name": f"{name}: {figure.name}"} for figure in outcome.figures]
    return json.dumps({"figures": rows}, ensure_ascii=False)


def as_table(outcomes: list[Outcome]) -> Table:
    """Return what happened as a table for people."""
    table = Table("case", "figures", "took", "outcome", show_lines=True)
    for outcome in outcomes:
        lines = [
            f"{figure.name}: {figure.value:.4g} {figure.unit}".rstrip()
            + (f" ({figure.target})" if figure.target else "")
            for figure in outcome.figures
        ]
        lines += [outcome.problem] if outcome.problem else []
        table.add_row(
            f"{outcome.case.name}\n[dim]{outcome.case.row}[/]",
            "\n".join(lines),
            f"{outcome.seconds:.0f} s",
            outcome.word,
        )
    return table


def main(arguments: list[str] | None = None) -> int:
    """Print a table of case, figures, pass or fail; return 1 when any failed."""
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the small forms, with short leases; without a CASE a minute's choice of them",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.cases) - set(CASES))
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are: {', '.join(CASES)}")
    names = given.cases or (REPRESENTATIVE if given.quick else CASES)
    wanted = [CASES[name] for name in names]
    with output_to_stderr() as out, Lab(quick=given.quick) as lab:
        outcomes = []
        for one in wanted:
            outcomes.append(run(one, lab))
            print(f"{one.name}: {outcomes[-1].word} {outcomes[-1].problem}", flush=True)
        if given.json:
            print(as_json(outcomes), file=out)
        else:
            Console(file=out).print(as_table(outcomes))
    return 0 if all(outcome.passed or outcome.skipped for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
