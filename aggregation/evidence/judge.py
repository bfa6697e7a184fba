"""Weighs the signs against the other engines' words: what is vetoed, what was missed."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from aggregation.align.abstain import Stretch, abstain, holes, riddled, runs
from aggregation.align.network import Network
from aggregation.evidence.signs import SpeechMap, signs
from aggregation.heard import BoolArray
from aggregation.language import Rule
from schemas.report import Finding, FindingKind

#: Share of a stretch's words that others say there, from which it has support.
SUPPORTED_SHARE = 0.25
#: Share of an engine's words that others must share, before it means anything that they share
#: none of a stretch: engines that are often at odds are so there as well.
USUAL_SHARE = 0.7
#: The longest text that a finding quotes, in characters.
QUOTED_CHARACTERS = 200


def judge(
    network: Network, rule: Rule, speech: SpeechMap | None = None
) -> tuple[Network, tuple[Finding, ...]]:
    """Return the network without the say of engines that invented or missed, with the findings.

    Two signs veto a stretch, or one sign without any other engine's support, where they support
    this engine as a rule. A lone engine needs two: nobody could support it. The vetoed abstain;
    they do not vote for silence.
    """
    vetoes: list[Stretch] = []
    findings: list[Finding] = []
    for column in range(len(network.tokens)):
        for stretch, reasons in _vetoes(network, column, rule, speech):
            vetoes.append(stretch)
            findings.append(_finding(network, stretch, FindingKind.HALLUCINATION, reasons))
    judged = abstain(network, vetoes)
    missed = list(holes(judged))
    for stretch in missed:
        reasons = (f"others have words in {stretch[2] - stretch[1]} places here",)
        findings.append(_finding(network, stretch, FindingKind.GAP, reasons))
    for stretches in riddled(abstain(network, [*vetoes, *missed])):
        missed += stretches
        findings.append(_all_over(network, stretches))
    return abstain(network, [*vetoes, *missed]), tuple(findings)


def _vetoes(
    network: Network, column: int, rule: Rule, speech: SpeechMap | None
) -> Iterator[tuple[Stretch, tuple[str, ...]]]:
    tokens = network.tokens[column]
    if not len(tokens):
        return
    shown = [
        (name, marked)
        for name, marked in signs(tokens, network.words[column], rule, speech)
        if marked.any()
    ]
    if not shown:
        return
    count = np.sum([marked for _, marked in shown], axis=0)
    slots = np.flatnonzero(network.index[:, column] >= 0)
    backed = _backed(network, column)[slots]
    telling = float(backed.mean()) >= USUAL_SHARE
    for first, last in runs(count > 0):
        supported = float(backed[first:last].mean()) >= SUPPORTED_SHARE
        twice = float((count[first:last] > 1).mean()) >= 0.5  # noqa: PLR2004 - most of it
        if twice or (telling and not supported):
            reasons = tuple(name for name, marked in shown if marked[first:last].any())
            stretch = (column, int(slots[first]), int(slots[last - 1]) + 1)
            yield stretch, reasons


def _backed(network: Network, column: int) -> BoolArray:
    ids = network.ids
    same: BoolArray = (ids == ids[:, column : column + 1]).sum(axis=1) > 1
    return same & (ids[:, column] > 0)


def _all_over(network: Network, stretches: list[Stretch]) -> Finding:
    places = sum(last - first for _, first, last in stretches)
    return Finding(
        engine=network.engines[stretches[0][0]],
        kind=FindingKind.GAP,
        start=None,
        end=None,
        words=places,
        text="",
        reasons=(f"others have words in {places} places all over the recording",),
    )


def _finding(
    network: Network, stretch: Stretch, kind: FindingKind, reasons: tuple[str, ...]
) -> Finding:
    column, first, last = stretch
    tokens = network.tokens[column]
    said = [i for i in network.index[first:last, column].tolist() if i >= 0]
    text = ""
    if said:
        begin = int(tokens.atom_begin[tokens.atom[said[0]]])
        text = tokens.heard.text[begin : int(tokens.atom_end[tokens.atom[said[-1]]])]
    times = network.middle[first:last]
    known = times[np.isfinite(times)]
    return Finding(
        engine=tokens.engine,
        kind=kind,
        start=_seconds(known.min()) if len(known) else None,
        end=_seconds(known.max()) if len(known) else None,
        words=len(said) if kind is FindingKind.HALLUCINATION else last - first,
        text=text[:QUOTED_CHARACTERS],
        reasons=reasons,
    )


def _seconds(value: float) -> float | None:
    return None if math.isnan(value) else round(max(float(value), 0.0), 3)
