"""Fits the lines of the reference-free error estimates, and measures how far they are off."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from aggregation.heard import FloatArray
from aggregation.merge.learned import learned
from aggregation.merge.rebuild import rebuild
from aggregation.pipeline import understand
from aggregation.quality.parts import fit
from aggregation.quality.score import support_of
from tests.benchmarks.consensus.data import Recording, halves
from tests.benchmarks.consensus.merging import question, reference, single_errors
from tests.benchmarks.consensus.score import count, normal
from tests.benchmarks.consensus.sets import SETS

#: Share of a recording's words that an engine must have, to be in the fit.
MIN_SHARE = 0.8

#: (what is seen, the true word error rate), one row an observation.
Points = list[tuple[float, float]]


def points(recordings: Sequence[Recording], engines: Sequence[str]) -> tuple[Points, Points]:
    """Return the engines' and the merges' points, without any known record."""
    own: Points = []
    merges: Points = []
    for recording in recordings:
        truth = reference(recording)
        context = understand(question({e: recording.engines[e] for e in engines}, {})).context
        choice = learned(context)
        for column, engine in enumerate(context.network.engines):
            errors = single_errors([recording], engine)[0]
            own.append((1 - fit(context.network, choice.ids, column), errors.total / len(truth)))
        merged = rebuild(context, choice, "learned", 0.0).transcript
        errors = count(truth, normal(merged.text))
        against = float(np.mean(1 - support_of(context, choice.ids)))
        merges.append((against, errors.total / len(truth)))
    return own, merges


def line(rows: Points) -> tuple[float, float]:
    """Return (intercept, slope) of the least absolute deviations, by reweighting."""
    x, y = np.array(rows).T
    design = np.stack([np.ones_like(x), x], axis=1)
    weight = np.ones_like(x)
    for _ in range(50):
        scaled = design * weight[:, None]
        solution: FloatArray = np.linalg.solve(scaled.T @ design, scaled.T @ y)
        weight = 1 / np.maximum(np.abs(y - design @ solution), 1e-3)
    return float(solution[0]), float(solution[1])


def main() -> int:
    """Print the lines of the tuning half, and their mean absolute error on the other."""
    gathered: list[list[Points]] = [[[], []], [[], []]]
    for one in SETS:
        if one.data == "earnings21" and len(one.engines) > 2 and one.target:
            for half, recordings in enumerate(halves(one.data)):
                for kind, found in enumerate(points(recordings, one.engines)):
                    gathered[half][kind] += found
    for kind, name in enumerate(("engine", "merge")):
        intercept, slope = line(gathered[0][kind])
        x, y = np.array(gathered[1][kind]).T
        off = np.abs(y - intercept - slope * x)
        rank = np.corrcoef(x, y)[0, 1]
        sys.stdout.write(
            f"{name}: WER = {intercept:.4f} + {slope:.3f} x; other half: mean error "
            f"{100 * off.mean():.2f} points, correlation {rank:.2f}, {len(y)} observations\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
