"""Orders engines by trust, so that nothing depends on who answered first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aggregation.compare.distance import Distances
from aggregation.compare.pairs import similarity
from aggregation.tokens import Tokens
from aggregation.trust import NEUTRAL, Prior

#: Engines from which agreement can tell who is the better one.
MIN_ENGINES = 3


def by_trust(
    tokens: Sequence[Tokens], prior: Mapping[str, Prior], distances: Distances
) -> list[Tokens]:
    """Return the engines by their prior, then by how well they agree with the others, then name.

    The first shapes the network most, so it should be the best; agreement decides where no
    evaluation does.
    """
    agreement = dict.fromkeys((engine.engine for engine in tokens), 0.0)
    if len(tokens) >= MIN_ENGINES:
        lengths = {engine.engine: len(engine) for engine in tokens}
        for (first, second), distance in distances.items():
            similar = similarity(distance.words, lengths[first], lengths[second])
            agreement[first] += similar
            agreement[second] += similar
    return sorted(
        tokens,
        key=lambda engine: (
            -prior.get(engine.engine, NEUTRAL).accuracy,
            -round(agreement[engine.engine], 9),
            engine.engine,
        ),
    )
