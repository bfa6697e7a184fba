"""Names the engine to trust for this recording, with reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aggregation.merge.context import Context
from aggregation.merge.features import disputed
from aggregation.trust import dependability
from schemas.report import EngineQuality, Finding, FindingKind, Recommendation

#: What the engine's estimated accuracy is worth; the rest is the quality seen here.
ACCURACY_WORTH = 0.8
#: How far two scores of one disputed place may lie apart by chance.
NOISE = 0.25


def recommend(
    context: Context, qualities: Sequence[EngineQuality], findings: Sequence[Finding]
) -> Recommendation:
    """Recommend the engine with the highest score: its estimated accuracy and its quality."""
    network, trust = context.network, context.trust
    records = {
        engine: float(trust.accuracy[column])
        for column, engine in enumerate(network.engines)
        if trust.evaluated[column]
    }
    dependable = dict(zip(network.engines, dependability(network, trust).tolist(), strict=True))
    scores = {
        quality.engine: ACCURACY_WORTH * dependable[quality.engine]
        + (1 - ACCURACY_WORTH) * (quality.overall or 0.0)
        for quality in qualities
    }
    ranked = sorted(scores, key=lambda engine: (-scores[engine], engine))
    winner = ranked[0]
    quality = next(q for q in qualities if q.engine == winner)
    return Recommendation(
        engine=winner,
        confidence=_confidence(scores, ranked, len(disputed(network))),
        reasons=tuple(_reasons(quality, records, findings, [scores[e] for e in ranked])),
        scores=scores,
    )


def _confidence(scores: dict[str, float], ranked: list[str], places: int) -> float:
    """Return the chance that the lead is real: its size against the noise of so few places."""
    if len(ranked) < 2:  # noqa: PLR2004 - nobody to compare with
        return 0.0
    lead = scores[ranked[0]] - scores[ranked[1]]
    noise = NOISE / math.sqrt(max(places, 1))
    return min(max(0.5 * (1 + math.erf(lead / noise / math.sqrt(2))), 0.0), 1.0)


def _reasons(
    quality: EngineQuality,
    records: dict[str, float],
    findings: Sequence[Finding],
    scores: list[float],
) -> list[str]:
    name = quality.engine
    if len(scores) == 1:
        return [f"{name} is the only engine that gave a transcript: nothing to compare it with"]
    reasons: list[str] = []
    if quality.kept is not None:
        reasons.append(f"the merged transcript keeps {quality.kept:.1%} of {name}'s words")
    reasons.append(f"it agrees with the other engines on {quality.agreement:.1%} on average")
    if name in records:
        reasons.append(f"evaluations gave it {records[name]:.1%} word accuracy")
    mine = [finding for finding in findings if finding.engine == name]
    for kind, what in ((FindingKind.HALLUCINATION, "invented"), (FindingKind.GAP, "missed")):
        count = sum(finding.words for finding in mine if finding.kind is kind)
        if count:
            reasons.append(f"although about {count} words look {what}")
    if not mine and any(finding.engine != name for finding in findings):
        reasons.append("no invented or missed stretch was found in it, unlike in others")
    if quality.timestamp_precision is not None:
        reasons.append(f"{quality.timestamp_precision:.0%} of its word times fit the others'")
    reasons.append(f"overall score {scores[0]:.3f}, the next has {scores[1]:.3f}")
    return reasons
