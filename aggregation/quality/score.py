"""Puts the parts of quality together; no part decides alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aggregation.align.network import ABSTAINS
from aggregation.heard import FloatArray, IntArray
from aggregation.merge.context import Context
from aggregation.quality.estimate import estimated_merge_wer, estimated_wer
from aggregation.quality.parts import (
    confidence,
    consistency,
    fit,
    kept,
    places,
    text_quality,
    timestamp_precision,
)
from schemas.report import (
    EngineQuality,
    Finding,
    MergedTranscript,
    MergeQuality,
    PairComparison,
)

#: What each part is worth in the overall score; parts that are not known are left out.
WORTH = {
    "fit": 0.5,
    "text_quality": 0.2,
    "agreement": 0.1,
    "timestamp_precision": 0.1,
    "confidence_reliability": 0.05,
    "consistency": 0.05,
}


def engine_qualities(
    context: Context,
    chosen: IntArray,
    pairs: tuple[PairComparison, ...],
    findings: tuple[Finding, ...],
) -> tuple[EngineQuality, ...]:
    """Score every engine, by name."""
    network = context.network
    result: list[EngineQuality] = []
    for column, engine in sorted(enumerate(network.engines), key=lambda item: item[1]):
        mean, coverage, reliability = confidence(network, column)
        fitting = fit(network, chosen, column)
        parts = {
            "text_quality": text_quality(network, column, findings),
            "agreement": _agreement(engine, pairs),
            "timestamp_precision": timestamp_precision(network, column),
            "confidence_reliability": reliability,
            "consistency": consistency(network, chosen, column),
        }
        result.append(
            EngineQuality.model_validate(
                {
                    **parts,
                    "engine": engine,
                    "fit": fitting,
                    "places": places(network, column),
                    "kept": kept(network, chosen, column),
                    "mean_confidence": mean,
                    "confidence_coverage": coverage,
                    "overall": overall({**parts, "fit": fitting}),
                    "estimated_wer": estimated_wer(fitting, len(network.engines)),
                }
            )
        )
    return tuple(result)


def overall(parts: Mapping[str, float | None]) -> float:
    """Return the mean of the known parts, weighted by what each is worth."""
    known = {name: value for name, value in parts.items() if value is not None}
    return sum(WORTH[n] * v for n, v in known.items()) / sum(WORTH[n] for n in known)


def merge_quality(context: Context, chosen: IntArray, merged: MergedTranscript) -> MergeQuality:
    """Score the merge."""
    words = [word for segment in merged.segments for word in segment.words]
    ids = context.network.ids
    same = ((ids == chosen[:, None]) | (ids == ABSTAINS)).all(axis=1)[chosen > 0]
    return MergeQuality(
        support=float(np.mean([word.agreement for word in words])) if words else 0.0,
        unanimous=float(same.mean()) if len(same) else 0.0,
        timed=sum(word.start is not None for word in words) / len(words) if words else 0.0,
        estimated_wer=estimated_merge_wer(support_of(context, chosen), ids.shape[1]),
    )


def support_of(context: Context, chosen: IntArray) -> FloatArray:
    """Return, per slot, the share of the engines with a say that have what was chosen."""
    ids = context.network.ids
    share: FloatArray = (ids == chosen[:, None]).sum(axis=1) / np.maximum(
        (ids != ABSTAINS).sum(axis=1), 1
    )
    return share


def _agreement(engine: str, pairs: tuple[PairComparison, ...]) -> float:
    mine = [pair.similarity for pair in pairs if engine in {pair.first, pair.second}]
    return sum(mine) / len(mine) if mine else 1.0
