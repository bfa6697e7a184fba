"""Estimates word error rates without a reference, calibrated on recordings that have one.

Agreement with the merge ranks engines well but flatters all of them: what every engine gets
wrong is not seen. The lines here were fitted by `tests/benchmarks/consensus/calibration.py` on the
tuning half; docs/consensus.md gives their error.
"""

from __future__ import annotations

import numpy as np

from aggregation.heard import FloatArray

#: Engines from which an estimate is worth showing: two only contradict each other.
MIN_ENGINES = 3
#: WER of an engine ≈ intercept + slope × share of places where it differs from the merge.
ENGINE_LINE = (0.014, 1.42)
#: WER of the merge ≈ intercept + slope × mean share of engines against its words.
MERGE_LINE = (-0.003, 1.2)


def estimated_wer(fit: float, engines: int) -> float | None:
    """Return an engine's word error rate from its fit to the merge; None for fewer than three."""
    if engines < MIN_ENGINES:
        return None
    intercept, slope = ENGINE_LINE
    return max(0.0, intercept + slope * (1 - fit))


def estimated_merge_wer(support: FloatArray, engines: int) -> float | None:
    """Return the merge's word error rate from the support of its choices, slot by slot."""
    if engines < MIN_ENGINES or not len(support):
        return None
    intercept, slope = MERGE_LINE
    return max(0.0, intercept + slope * float(np.mean(1 - support)))
