"""Each engine's part in the job, in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aggregation.align.network import Network
from aggregation.heard import Heard
from aggregation.stitch import Part
from schemas.report import EngineSummary


def summarise(
    network: Network, parts: Mapping[str, Sequence[Part]], processing: Mapping[str, float]
) -> tuple[EngineSummary, ...]:
    """Return a summary for every engine, by name.

    Args:
        network: The aligned engines.
        parts: Each engine's chunks.
        processing: Wall seconds by engine, where known.
    """
    summaries: list[EngineSummary] = []
    for tokens in sorted(network.tokens, key=lambda engine: engine.engine):
        heard = tokens.heard
        first = parts[heard.engine][0].transcript
        seconds = processing.get(heard.engine)
        timed = seconds is not None and heard.audio_seconds > 0
        summaries.append(
            EngineSummary(
                engine=heard.engine,
                version=first.engine_version,
                model=first.model,
                language=heard.languages[0] if heard.languages else None,
                words=len(tokens),
                covered_seconds=_covered(heard),
                processing_seconds=seconds,
                rtf=seconds / heard.audio_seconds if timed and seconds is not None else None,
                has_word_times=heard.has_word_times,
                has_confidences=heard.has_confidences,
                text=heard.text,
            )
        )
    return tuple(summaries)


def _covered(heard: Heard) -> float | None:
    """Return the seconds that the segments cover, else the words; None without times."""
    for units in (heard.segments, heard.words):
        known = np.isfinite(units.start) & np.isfinite(units.stop)
        if known.any():
            return float((units.stop[known] - units.start[known]).sum())
    return None
