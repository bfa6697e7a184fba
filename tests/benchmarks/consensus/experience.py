"""Merges a set as a cluster would that has no references: by what it saw in earlier jobs."""

from __future__ import annotations

from collections.abc import Sequence

from aggregation.experience import Experience
from aggregation.merge.learned import learned
from aggregation.merge.rebuild import rebuild
from aggregation.pipeline import understand
from aggregation.quality.parts import fit, places
from tests.benchmarks.consensus.data import Recording
from tests.benchmarks.consensus.merging import question, reference
from tests.benchmarks.consensus.score import Errors, count, normal


def merge_in_turn(recordings: Sequence[Recording], engines: Sequence[str]) -> list[Errors]:
    """Merge one recording after the other, each with the experience of those before it."""
    seen = Experience()
    errors: list[Errors] = []
    for recording in recordings:
        heard = {name: recording.engines[name] for name in engines}
        context = understand(question(heard, seen.priors())).context
        choice = learned(context)
        merged = rebuild(context, choice, "learned", 0.0).transcript
        errors.append(count(reference(recording), normal(merged.text, recording.language)))
        if len(engines) >= Experience.MIN_ENGINES:
            for column, engine in enumerate(context.network.engines):
                share = fit(context.network, choice.ids, column)
                seen.add(engine, share, places(context.network, column))
    return errors
