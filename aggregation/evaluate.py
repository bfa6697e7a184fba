"""Counts word errors against a reference, on the same normal forms as everything else."""

from __future__ import annotations

import numpy as np

from aggregation.align.network import number_words
from aggregation.collect import collect
from aggregation.compare.distance import edit_distance
from aggregation.language import decide_language
from aggregation.normalise import normalise
from aggregation.stitch import Part
from schemas.report import Report
from schemas.transcript import Segment, Transcript

#: What the merged transcript is called among the engines.
MERGED = "(merged)"


def evaluate_report(report: Report, reference: str) -> dict[str, tuple[int, int]]:
    """Return (word errors, words of the reference) of every engine and of the merge."""
    texts = {engine.engine: engine.text for engine in report.engines}
    texts[MERGED] = report.merged.text
    truth = collect([Part(_plain("reference", reference))])
    rule = decide_language([truth], report.language).rule
    wanted = normalise(truth, rule)
    errors: dict[str, tuple[int, int]] = {}
    for name, text in texts.items():
        said = normalise(collect([Part(_plain(name, text))]), rule)
        _, (wanted_ids, said_ids) = number_words([wanted, said])
        distance = edit_distance(
            wanted.norms, np.asarray(wanted_ids), said.norms, np.asarray(said_ids)
        )
        errors[name] = (distance.words, len(wanted))
    return errors


def _plain(name: str, text: str) -> Transcript:
    return Transcript(
        engine=name,
        engine_version="",
        model="",
        audio_seconds=0.0,
        segments=(Segment(text=text),) if text.strip() else (),
    )
