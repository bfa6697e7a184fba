"""Turns measurements into printed tables and figures with their targets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from aggregation.merge.learned import choose
from aggregation.trust import NEUTRAL, Prior
from tests.benchmarks.consensus import experience, nist, speed, train
from tests.benchmarks.consensus.data import Recording, halves
from tests.benchmarks.consensus.hardship import corrupted
from tests.benchmarks.consensus.merging import Outcome, complete, merge_all, single_errors
from tests.benchmarks.consensus.score import Errors, interval, rate
from tests.benchmarks.consensus.sets import SETS, STRATEGIES, EngineSet
from tests.benchmarks.figures import Figure, at_least, at_most, informs

#: How much worse than the best-prior engine a merge may be, in percent points of WER.
FLOOR = 0.1
#: How much worse a merge with one damaged engine may be than with none damaged.
DAMAGE_FLOOR = 0.3
#: How much better than NIST's best mode it should be with three engines or more, in percent.
NIST_GAIN = 4.0
#: Engines from which NIST's ROVER is compared.
NIST_ENGINES = 3


def measure_set(one: EngineSet, *, quick: bool) -> list[Figure]:
    """Measure one set of engines on the testing half; its records come from the tuning half."""
    tuning, testing = (complete(half, one.engines) for half in halves(one.data))
    prior = train.records(tuning, one.engines) if one.floored else {}
    if not one.floored:  # too few to learn records from: all are tested, without any
        testing = tuning + testing
    singles = {engine: single_errors(testing, engine) for engine in one.engines}
    leader = max(one.engines, key=lambda engine: prior.get(engine, NEUTRAL).accuracy)
    strategies = ("rover", "learned") if quick else STRATEGIES
    outcome = merge_all(testing, one.engines, strategies, prior, oracle=not quick)
    shown = [name for name in strategies if name != "union"]
    blind = merge_all(testing, one.engines, shown, {}).errors
    learning = experience.merge_in_turn(testing, one.engines)
    best = min(rate(errors) for errors in singles.values())
    first = rate(singles[leader])
    modes = {f"{name}, no record": errors for name, errors in blind.items()}
    modes["learned, own experience"] = learning
    _print_set(one, singles, outcome, modes)
    figures = [
        _gain(one, rate(outcome.errors["learned"]), best),
        *(
            at_most(f"{one.name}: {name} above best prior", rate(errors) - first, FLOOR, "points")
            for name, errors in outcome.errors.items()
            if name != "union" and one.floored
        ),
        informs(f"{one.name}: learned, no record", rate(blind["learned"]), "% WER"),
        informs(
            f"{one.name}: worst strategy, no record, above best single",
            max(map(rate, blind.values())) - best,
            "points",
        ),
        informs(f"{one.name}: learned, own experience", rate(learning), "% WER"),
    ]
    if one.without:
        before = _without(one, testing, prior)
        above = rate(outcome.errors["learned"]) - before
        figures.append(at_most(f"{one.name}: harm by the weak engine", above, FLOOR, "points"))
    if nist.rover() is not None and len(one.engines) >= NIST_ENGINES and one.target:
        figures += _against_nist(one, testing, prior, outcome, quick=quick)
    return figures


def _gain(one: EngineSet, merged: float, best: float) -> Figure:
    gain = 100 * (1 - merged / best)
    name = f"{one.name} ({one.kind}): learned under best single"
    return informs(name, gain, "%") if one.target is None else at_least(name, gain, one.target, "%")


def _without(one: EngineSet, testing: Sequence[Recording], prior: dict[str, Prior]) -> float:
    engines = one.without or ()
    if len(engines) == 1:
        return rate(single_errors(testing, engines[0]))
    return rate(merge_all(testing, engines, ("learned",), prior).errors["learned"])


def _print_set(
    one: EngineSet,
    singles: dict[str, list[Errors]],
    outcome: Outcome,
    modes: dict[str, list[Errors]],
) -> None:
    best = min(rate(errors) for errors in singles.values())
    print(f"\n{one.name}  [{one.kind}]  {len(next(iter(singles.values())))} recordings")
    print(f"  {'':26s} {'WER':>6s} {'95 %':>15s} {'gain':>7s} {'sub':>6s} {'del':>6s} {'ins':>6s}")
    rows = {f"only {name}": errors for name, errors in singles.items()} | outcome.errors | modes
    if outcome.oracle:
        rows["oracle of the network"] = outcome.oracle
    for name, errors in rows.items():
        low, high = interval(errors)
        gain = 100 * (rate(errors) / best - 1)
        sub, gone, added = (sum(column) for column in list(zip(*errors, strict=True))[:3])
        seconds = outcome.seconds.get(name)
        spent = f" {seconds:6.1f} s CPU" if seconds is not None else ""
        print(
            f"  {name:26s} {rate(errors):6.2f} {low:7.2f}–{high:<7.2f} {gain:+6.1f}%"
            f" {sub:6d} {gone:6d} {added:6d}{spent}"
        )


def _against_nist(
    one: EngineSet,
    testing: Sequence[Recording],
    prior: dict[str, Prior],
    outcome: Outcome,
    *,
    quick: bool,
) -> list[Figure]:
    order = sorted(one.engines, key=lambda engine: -prior[engine].accuracy)
    found: list[float] = []
    modes = [mode for mode in nist.MODES if nist.usable(mode, testing, order)]
    for mode in modes[:1] if quick else modes:
        result = nist.run_rover(testing, order, mode)
        if result is None:
            print(f"  NIST {mode.name:21s} crashed")
            continue
        errors, seconds = result
        found.append(rate(errors))
        print(f"  NIST {mode.name:21s} {rate(errors):6.2f} {'':31s} {seconds:6.1f} s CPU")
    if not found:
        return []
    gain = 100 * (1 - rate(outcome.errors["learned"]) / min(found))
    return [at_least(f"{one.name}: learned under NIST's best mode", gain, NIST_GAIN, "%")]


def measure_damage() -> list[Figure]:
    """Measure what loops and holes in one engine cost."""
    figures: list[Figure] = []
    for one in (SETS[2], SETS[4], SETS[8]):
        tuning, testing = halves(one.data)
        prior = train.records(tuning, one.engines)
        clean = rate(merge_all(testing, one.engines, ("learned",), prior).errors["learned"])
        for victim in one.engines[:2]:
            hurt = [
                Recording(
                    r.id,
                    r.reference,
                    r.language,
                    {**r.engines, victim: corrupted(r.engines[victim], seed)},
                )
                for seed, r in enumerate(testing)
            ]
            damaged = rate(merge_all(hurt, one.engines, ("learned",), prior).errors["learned"])
            name = f"{one.name}: with {victim} damaged"
            figures.append(at_most(name, damaged - clean, DAMAGE_FLOOR, "points"))
            print(f"  {name}: {damaged:.2f}, clean {clean:.2f}")
    return figures


def measure_transfer() -> list[Figure]:
    """Train without some engines, test on sets of those alone."""
    held = {"revkaldi", "microsoft", "speechmatics"}
    chosen = {
        name: tuple(engines for engines in sets if name != "earnings21" or not held & set(engines))
        for name, sets in train.TRAINED.items()
    }
    chosen["earnings21"] += (
        ("google", "amazon"),
        ("google", "amazon", "espnet"),
        ("google", "amazon", "espnet", "librikaldi"),
    )
    weights = train.trained(list(train.collect_lessons(chosen)))
    figures: list[Figure] = []
    one = next(s for s in SETS if set(s.engines) == held)
    tuning, testing = halves(one.data)
    prior = train.records(tuning, one.engines)
    shipped = rate(merge_all(testing, one.engines, ("learned",), prior).errors["learned"])
    given = {"other weights": partial(choose, weights=weights.tolist())}
    other = rate(merge_all(testing, one.engines, (), prior, given=given).errors["other weights"])
    print(f"  weights of other engines on {one.name}: {other:.2f}, shipped {shipped:.2f}")
    figures.append(
        informs(f"{one.name}: cost of weights trained on other engines", other - shipped, "points")
    )
    return figures


def measure_speed() -> list[Figure]:
    """Measure CPU time and memory on 30,000 words an engine."""
    three, ten = speed.measure(3), speed.measure(10)
    ratio = ten["whole"] / three["whole"] / (10 / 3)
    print(f"  3 × 30,000 words: {three}\n  10 × 30,000 words: {ten}")
    return [
        at_most("3 × 30,000 words: whole pipeline", three["whole"], 1.5, "s CPU"),
        at_most("3 × 30,000 words: align, vote, rebuild", three["middle"], 0.8, "s CPU"),
        at_most("3 × 30,000 words: peak memory", three["peak"], 400, "MiB"),
        informs("10 × 30,000 words: whole pipeline", ten["whole"], "s CPU"),
        informs("10 × 30,000 words: time per word against 3 ×", ratio, "×"),
        informs("10 × 30,000 words: memory added by the pipeline", ten["added"], "MiB"),
    ]
