"""How good the merge is: against the best engine, NIST ROVER, damage, and the clock."""

from __future__ import annotations

from tests.benchmarks.consensus import data, nist, report
from tests.benchmarks.consensus.sets import OWN_SETS, QUICK, SETS, unlisted
from tests.benchmarks.figures import Figure, informs


def main(quick: bool) -> list[Figure]:  # noqa: FBT001 - the runner's contract
    """Measure every listed set that is here; the tables go to standard output."""
    here = data.available()
    wanted = [one for one in (QUICK if quick else (*SETS, *OWN_SETS)) if one.data in here]
    listed = {one.data for one in (*SETS, *OWN_SETS)}
    others = [name for name in here if name not in listed and not name.startswith("speech/")]
    wanted += [unlisted(name, list(next(data.recordings(name)).engines)) for name in others]
    if not wanted:
        print(f"no data in {data.folder()}: set CHORDSCRIBE_BENCH_DATA to measure accuracy")
    figures: list[Figure] = []
    for one in wanted:
        figures += report.measure_set(one, quick=quick)
    if nist.rover() is None:
        print("NIST rover is not installed (Debian: sctk): not compared")
    if wanted and not quick:
        figures += report.measure_damage()
        figures += report.measure_transfer()
    figures += report.measure_speed()
    return figures or [informs("sets found", 0)]
